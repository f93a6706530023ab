import Dispatch
import Foundation

/// How long a session waits for what, in seconds.
struct Patience: Sendable {
    var firstRetry = 1.0
    var longestRetry = 8.0
    /// Without a sample for so long, a recording counts as dead.
    var stall = 5.0
    /// With samples of 0 alone for so long, the microphone counts as muted.
    var silence = 2.0
    /// How much sound waits for a slow model before it is dropped.
    var backlog = 4.0
    /// How much sound that is not quiet the bandwidth of a recording is measured over.
    var bandwidth = 10.0
}

/// One time of listening, over as many interruptions and losses of the microphone as come.
///
/// Unchecked: `generation`, `wait` and `opened` are touched on `control` alone, `meter` on `inference`,
/// the rest that changes under `lock`.
final class ListeningSession: @unchecked Sendable {
    private let card: ModelCard
    private let microphone: Microphone
    private let patience: Patience
    private let onState: @Sendable (ListenerState) -> Void
    private let onEnd: @Sendable (Error) -> Void
    private let detector: SoundEventDetector
    private let queue: SampleQueue
    private let control = DispatchQueue(label: "pocketear.control", qos: .userInitiated)
    private let inference = DispatchQueue(label: "pocketear.inference", qos: .userInitiated)

    private var generation = 0  // of the recording; 0: none yet
    private var wait: Double
    private var opened = false  // ever
    private var meter: (recording: Int, bandwidth: BandwidthMeter)?

    private let lock = NSRecursiveLock()
    private var current: Int?  // the generation that records
    private var lastSample: ContinuousClock.Instant?
    private var openedAt: ContinuousClock.Instant = .now
    private var fresh = false  // whether the recording gave no sample yet
    private var zeros = 0  // samples of 0 at the end
    private var measured: (recording: Int, bandwidth: Double)?
    private var state: ListenerState?
    private var stopped = false

    init(
        card: ModelCard, model: SoundModel, microphone: Microphone, patience: Patience = Patience(),
        onEvent: @escaping @Sendable (SoundEvent) -> Void,
        onState: @escaping @Sendable (ListenerState) -> Void,
        onEnd: @escaping @Sendable (Error) -> Void
    ) {
        self.card = card
        self.microphone = microphone
        self.patience = patience
        self.onState = onState
        self.onEnd = onEnd
        wait = patience.firstRetry
        detector = SoundEventDetector(card: card, model: model, onEvent: onEvent)
        queue = SampleQueue(capacity: Int(patience.backlog * Double(card.sampleRate)) + card.hopLength, step: card.hopLength)
    }

    /// Windows that had no scores.
    var ignored: Int { detector.ignored }

    /// Begins to listen.
    func start() {
        control.async {
            if self.isStopped { return }
            self.microphone.observe { [weak self] change in
                guard let session = self else { return }
                session.control.async { session.take(change) }
            }
            self.open()
        }
    }

    /// Ends what sounds, and then all else behind it, on whatever thread. Nothing is reported after it
    /// returned, and it waits for neither the microphone nor the model.
    func stop() {
        detector.close()
        let first = lock.withLock {
            defer { stopped = true }
            return !stopped
        }
        if !first { return }
        control.async {
            self.microphone.stop()
            self.microphone.close()
        }
    }

    private var isStopped: Bool { lock.withLock { stopped } }

    private func fail(_ error: Error) {
        detector.close()
        lock.withLock {
            if !stopped { onEnd(error) }
        }
        stop()
    }

    private func report(_ new: ListenerState) {
        lock.withLock {
            if stopped || new == state { return }
            state = new
            onState(new)
        }
    }

    // MARK: - on `control`

    private func open() {
        if isStopped { return }
        generation += 1
        let number = generation
        lock.withLock {
            current = number
            fresh = true
            zeros = 0
            openedAt = .now
        }
        report(.starting)
        inference.async {  // after what the last recording gave
            let quietPeak = Float(self.card.quietPeak)
            self.meter = (
                number,
                BandwidthMeter(
                    sampleRate: self.card.sampleRate, seconds: self.patience.bandwidth, quietPeak: quietPeak)
            )
        }
        do {
            let rate = Double(card.sampleRate)
            try microphone.start(sampleRate: rate, blockSeconds: Double(card.hopLength) / rate) {
                [weak self] samples, lost in self?.take(samples, lost: lost, of: number)
            }
            opened = true
            watch(number)
        } catch {
            if opened { pause() } else { fail(error) }
        }
    }

    /// Leaves the microphone, and tries it again later.
    private func pause() {
        microphone.stop()
        lock.withLock {
            current = nil
            queue.lose(0)
            if !fresh { wait = patience.firstRetry }
        }
        inference.async { self.drain() }
        report(.paused)
        let number = generation
        control.asyncAfter(deadline: .now() + wait) { [weak self] in
            guard let session = self, session.generation == number else { return }
            session.open()
        }
        wait = min(2 * wait, patience.longestRetry)
    }

    private func take(_ change: MicrophoneChange) {
        if isStopped || generation == 0 { return }
        let records = lock.withLock { current != nil }
        switch change {
        case .interrupted:
            if records { pause() }
        case .available:
            if !records {
                wait = patience.firstRetry
                open()
            }
        case .replaced:
            if records {
                pause()
                open()
            }
        }
    }

    /// Gives up a recording that gives no samples.
    private func watch(_ number: Int) {
        control.asyncAfter(deadline: .now() + patience.stall / 2) { [weak self] in
            guard let session = self, session.generation == number, !session.isStopped else { return }
            let (records, since) = session.lock.withLock {
                (session.current == number, max(session.lastSample ?? session.openedAt, session.openedAt))
            }
            if !records { return }
            if since.secondsToNow > session.patience.stall {
                session.pause()
            } else {
                session.watch(number)
            }
        }
    }

    // MARK: - on the microphone's thread

    private func take(_ samples: [Float], lost: Int, of number: Int) {
        let new: (state: ListenerState, step: Bool)? = lock.withLock {
            if stopped || current != number || samples.isEmpty { return nil }
            var missing = lost
            if fresh, let last = lastSample {
                let seconds = last.secondsToNow - Double(samples.count) / Double(card.sampleRate)
                missing = max(0, Int(seconds * Double(card.sampleRate)))
            }
            fresh = false
            lastSample = .now
            if missing > 0 { queue.lose(missing) }
            let step = queue.offer(samples)
            let quiet = samples.reversed().prefix { $0 == 0 }.count
            zeros = quiet == samples.count ? zeros + quiet : quiet
            return (state(of: number), step || missing > 0)
        }
        guard let new else { return }
        report(new.state)
        if new.step { inference.async { self.drain() } }
    }

    /// While samples come, under `lock`.
    private func state(of number: Int) -> ListenerState {
        if Double(zeros) >= patience.silence * Double(card.sampleRate) { return .silenced }
        guard let measured, measured.recording == number, measured.bandwidth < card.bandwidth else {
            return .listening
        }
        return .narrow(bandwidth: measured.bandwidth)
    }

    // MARK: - on `inference`

    private func drain() {
        while !isStopped, let item = queue.take() {
            switch item {
            case .lost(let count):
                meter?.bandwidth.skip()
                detector.skip(count)
            case .samples(let samples):
                if let (recording, bandwidth) = meter, let hertz = bandwidth.push(samples) {
                    lock.withLock { measured = (recording, hertz) }
                }
                do {
                    try detector.push(samples)
                } catch {
                    return fail(error)
                }
            }
        }
    }
}

extension ContinuousClock.Instant {
    fileprivate var secondsToNow: Double {
        let parts = duration(to: .now).components
        return Double(parts.seconds) + Double(parts.attoseconds) * 1e-18
    }
}
