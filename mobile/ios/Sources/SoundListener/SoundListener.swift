#if canImport(AVFoundation) && canImport(CoreML)
import AVFoundation
import Foundation
import os

/// Listens to the microphone and tells what it hears.
///
///     let listener = try await SoundListener()
///     for try await event in listener.events() {
///         print(event.label, event.startSeconds)
///     }
///
/// Everything about the model is read from the .mlpackage in the package. The app's Info.plist says
/// why it listens, in NSMicrophoneUsageDescription. Phone calls and other interruptions pause it.
public final class SoundListener: Sendable {
    /// What the model in the package is.
    public let card: ModelCard
    private let runner: ModelRunner
    private let queue = DispatchQueue(label: "pocketear.listening.listener", qos: .userInitiated)

    public init() async throws {
        runner = try await ModelRunner()
        card = runner.card
    }

    /// Begins to listen; ends when the task that reads it is cancelled.
    ///
    /// Throws `SoundListenerError` if the microphone is denied or cannot be opened, and what Core ML
    /// or AVFoundation throws if they fail.
    public func events() -> AsyncThrowingStream<Event, Error> {
        AsyncThrowingStream { continuation in
            let session: Session
            do {  // with a runner of its own: a state is of one stream
                let own = try ModelRunner(model: runner.model)
                session = Session(runner: own, queue: queue, continuation: continuation)
            } catch {
                continuation.finish(throwing: error)
                return
            }
            continuation.onTermination = { _ in session.stop() }
            Task {
                if await AVCaptureDevice.requestAccess(for: .audio) {
                    session.start()
                } else {
                    continuation.finish(
                        throwing: SoundListenerError("the microphone is denied; the user allows it in Settings"))
                }
            }
        }
    }
}

/// One time of listening, over as many interruptions as come.
///
/// Unchecked: all that changes is touched on `queue` alone.
private final class Session: @unchecked Sendable {
    private let queue: DispatchQueue
    private let continuation: AsyncThrowingStream<Event, Error>.Continuation
    private let hearing: Hearing
    private let rate: Double
    private let hopSeconds: Double
    private let log = Logger(subsystem: "dev.pocketear", category: "SoundListener")
    private var engine: AVAudioEngine?
    private var observers: [NSObjectProtocol] = []
    private var pausedAt: ContinuousClock.Instant?
    private var stopped = false

    init(
        runner: ModelRunner, queue: DispatchQueue,
        continuation: AsyncThrowingStream<Event, Error>.Continuation
    ) {
        self.queue = queue
        self.continuation = continuation
        rate = Double(runner.card.sampleRate)
        hopSeconds = Double(runner.card.hopLength) / rate
        hearing = Hearing(card: runner.card, model: runner) { continuation.yield($0) }
    }

    func start() {
        queue.async {
            if self.stopped { return }
            self.observe()
            self.attempt { try self.capture() }
        }
    }

    func stop() {
        queue.async {
            if self.stopped { return }
            self.stopped = true
            for observer in self.observers {
                NotificationCenter.default.removeObserver(observer)
            }
            self.release()
            if self.hearing.ignored > 0 {
                self.log.warning("\(self.hearing.ignored) windows had scores that are not numbers")
            }
            #if os(iOS)
            // Whoever played before may go on.
            try? AVAudioSession.sharedInstance().setActive(false, options: .notifyOthersOnDeactivation)
            #endif
        }
    }

    /// A failure ends the stream with its error, and listening with it.
    private func attempt(_ action: () throws -> Void) {
        do {
            try action()
        } catch {
            continuation.finish(throwing: error)
        }
    }

    /// With an engine of its own: one that lived through a reset of the media services is dead.
    private func capture() throws {
        #if os(iOS)
        let session = AVAudioSession.sharedInstance()
        try session.setCategory(.record, mode: .measurement)  // without gain control or noise suppression
        try session.setActive(true)
        #endif
        let engine = AVAudioEngine()
        let format = engine.inputNode.outputFormat(forBus: 0)
        guard format.sampleRate > 0, let tap = Tap(from: format, rate: rate) else {
            throw SoundListenerError("the microphone cannot be opened: another app may hold it")
        }
        // A hop, as no window is complete before. The system may give less: 0.4 s is the most, says
        // AVAudioNode.h.
        let size = AVAudioFrameCount((hopSeconds * format.sampleRate).rounded(.up))
        engine.inputNode.installTap(onBus: 0, bufferSize: size, format: format) { [weak self] buffer, time in
            guard let session = self else { return }
            let (lost, samples) = tap.take(buffer, at: time)
            session.queue.async { session.hear(samples, after: lost) }
        }
        engine.prepare()
        try engine.start()
        self.engine = engine
    }

    private func release() {
        engine?.inputNode.removeTap(onBus: 0)
        engine?.stop()
        engine = nil
    }

    private func hear(_ samples: [Float], after lost: Int) {
        if stopped || pausedAt != nil { return }
        attempt {
            if lost > 0 { hearing.lose(lost) }
            try hearing.push(samples)
        }
    }

    private func pause() {
        if stopped || pausedAt != nil { return }
        release()
        hearing.lose(0)
        pausedAt = .now
    }

    private func resume() {
        guard !stopped, let since = pausedAt else { return }
        pausedAt = nil
        let away = since.duration(to: .now).components
        hearing.lose(Int((Double(away.seconds) + Double(away.attoseconds) * 1e-18) * rate))
        attempt { try capture() }
    }

    private func observe() {
        // Another microphone: its format may differ, so the tap is made anew.
        on(.AVAudioEngineConfigurationChange) { session, change in
            guard let engine = session.engine, change.source == ObjectIdentifier(engine) else { return }
            session.pause()
            session.resume()
        }
        #if os(iOS)
        on(AVAudioSession.interruptionNotification) { session, change in
            if change.interruption == AVAudioSession.InterruptionType.began.rawValue {
                session.pause()
            } else {
                session.resume()
            }
        }
        on(AVAudioSession.mediaServicesWereResetNotification) { session, _ in
            session.pause()
            session.resume()
        }
        #endif
    }

    /// Runs `action` on `queue` with what the notification says.
    private func on(_ name: Notification.Name, _ action: @escaping @Sendable (Session, Change) -> Void) {
        let observer = NotificationCenter.default.addObserver(
            forName: name, object: nil, queue: nil
        ) { [weak self] note in
            guard let session = self else { return }
            let change = Change(
                source: note.object.map { ObjectIdentifier($0 as AnyObject) },
                interruption: note.userInfo?["AVAudioSessionInterruptionTypeKey"] as? UInt)
            session.queue.async { action(session, change) }
        }
        observers.append(observer)
    }
}

/// What a notification says: of whom, and the kind of interruption, if it is one.
private struct Change: Sendable {
    let source: ObjectIdentifier?
    let interruption: UInt?
}

/// Buffers of the microphone to mono samples at the model's rate.
///
/// Unchecked: called by one thread, the tap's.
private final class Tap: @unchecked Sendable {
    private let converter: AVAudioConverter
    private let output: AVAudioFormat
    private let ratio: Double
    private var expected: AVAudioFramePosition?
    private var unheard: AVAudioFramePosition = 0

    init?(from input: AVAudioFormat, rate: Double) {
        guard
            let output = AVAudioFormat(
                commonFormat: .pcmFormatFloat32, sampleRate: rate, channels: 1, interleaved: false),
            let converter = AVAudioConverter(from: input, to: output)
        else { return nil }
        converter.sampleRateConverterQuality = AVAudioQuality.max.rawValue
        converter.downmix = true
        self.converter = converter
        self.output = output
        ratio = rate / input.sampleRate
    }

    /// The samples of `buffer`, and how many were lost before it; both at the model's rate.
    func take(_ buffer: AVAudioPCMBuffer, at time: AVAudioTime) -> (lost: Int, samples: [Float]) {
        unheard += missing(before: buffer, at: time)
        guard let samples = convert(buffer) else {
            unheard += AVAudioFramePosition(buffer.frameLength)
            return (0, [])
        }
        defer { unheard = 0 }
        return (Int(Double(unheard) * ratio), samples)
    }

    /// Frames that the device dropped before `buffer`.
    private func missing(before buffer: AVAudioPCMBuffer, at time: AVAudioTime) -> AVAudioFramePosition {
        guard time.isSampleTimeValid else { return 0 }
        let missing = expected.map { max(0, time.sampleTime - $0) } ?? 0
        expected = time.sampleTime + AVAudioFramePosition(buffer.frameLength)
        return missing
    }

    private func convert(_ buffer: AVAudioPCMBuffer) -> [Float]? {
        let capacity = AVAudioFrameCount(Double(buffer.frameLength) * ratio) + 64
        guard let made = AVAudioPCMBuffer(pcmFormat: output, frameCapacity: capacity) else { return nil }
        let once = Once(buffer)
        let status = converter.convert(to: made, error: nil) { _, status in
            let next = once.take()
            status.pointee = next == nil ? .noDataNow : .haveData
            return next
        }
        guard status != .error, let channel = made.floatChannelData?[0] else { return nil }
        return Array(UnsafeBufferPointer(start: channel, count: Int(made.frameLength)))
    }
}

/// A buffer that is handed out once.
///
/// Unchecked: the converter asks on the thread that called it.
private final class Once: @unchecked Sendable {
    private var buffer: AVAudioPCMBuffer?

    init(_ buffer: AVAudioPCMBuffer) {
        self.buffer = buffer
    }

    func take() -> AVAudioPCMBuffer? {
        defer { buffer = nil }
        return buffer
    }
}
#endif
