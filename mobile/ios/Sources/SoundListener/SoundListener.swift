#if canImport(AVFoundation) && canImport(CoreML)
import AVFoundation
import Foundation

/// Listens to the microphone and tells what it hears.
///
///     let listener = try await SoundListener()
///     for try await event in listener.events() {
///         print(event.label, event.startSeconds)
///     }
///
/// Everything about the model is read from the .mlpackage in the package. The app's Info.plist says
/// why it listens, in NSMicrophoneUsageDescription. Phone calls and other interruptions pause it.
public final class SoundListener: @unchecked Sendable {
    /// What the model in the package is.
    public let card: ModelCard
    private let runner: ModelRunner

    public init() async throws {
        runner = try await ModelRunner()
        card = runner.card
    }

    /// Begins to listen; ends when the task that reads it is cancelled.
    ///
    /// Throws `SoundListenerError` if the microphone is denied or cannot be opened, or the model
    /// fails. Read one stream at a time.
    public func events() -> AsyncThrowingStream<Event, Error> {
        AsyncThrowingStream { continuation in
            let session = Session(runner: runner, continuation: continuation)
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

/// One time of listening, over as many interruptions as come. Its state belongs to `queue`.
private final class Session: @unchecked Sendable {
    private let queue = DispatchQueue(label: "pocketear.listener", qos: .userInitiated)
    private let engine = AVAudioEngine()
    private let continuation: AsyncThrowingStream<Event, Error>.Continuation
    private let hearing: Hearing
    private let rate: Double
    private var observers: [NSObjectProtocol] = []
    private var pausedAt: DispatchTime?
    private var stopped = false

    init(runner: ModelRunner, continuation: AsyncThrowingStream<Event, Error>.Continuation) {
        self.continuation = continuation
        rate = Double(runner.card.sampleRate)
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

    private func capture() throws {
        #if os(iOS)
        let session = AVAudioSession.sharedInstance()
        try session.setCategory(.record, mode: .measurement)  // without gain control or noise suppression
        try session.setActive(true)
        #endif
        let format = engine.inputNode.outputFormat(forBus: 0)
        guard format.sampleRate > 0, let tap = Tap(from: format, rate: rate) else {
            throw SoundListenerError("the microphone cannot be opened: another app may hold it")
        }
        engine.inputNode.installTap(onBus: 0, bufferSize: 4096, format: format) { [weak self] buffer, time in
            guard let session = self else { return }
            let lost = tap.lost(before: buffer, at: time)
            let samples = tap.convert(buffer)
            session.queue.async { session.hear(samples, after: lost) }
        }
        engine.prepare()
        try engine.start()
    }

    private func release() {
        engine.inputNode.removeTap(onBus: 0)
        engine.stop()
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
        pausedAt = DispatchTime.now()
    }

    private func resume() {
        guard !stopped, let since = pausedAt else { return }
        pausedAt = nil
        let away = Double(DispatchTime.now().uptimeNanoseconds - since.uptimeNanoseconds) / 1e9
        hearing.lose(Int(away * rate))
        attempt { try capture() }
    }

    private func observe() {
        // Another microphone: its format may differ, so the tap is made anew.
        on(.AVAudioEngineConfigurationChange, from: engine) { session, _ in
            session.pause()
            session.resume()
        }
        #if os(iOS)
        on(AVAudioSession.interruptionNotification, from: nil) { session, kind in
            if kind == AVAudioSession.InterruptionType.began.rawValue {
                session.pause()
            } else {
                session.resume()
            }
        }
        on(AVAudioSession.mediaServicesWereResetNotification, from: nil) { session, _ in
            session.pause()
            session.resume()
        }
        #endif
    }

    /// Runs `action` on `queue` with the kind of interruption that the notification names, if any.
    private func on(
        _ name: Notification.Name, from object: AnyObject?,
        _ action: @escaping @Sendable (Session, UInt?) -> Void
    ) {
        let observer = NotificationCenter.default.addObserver(
            forName: name, object: object, queue: nil
        ) { [weak self] note in
            guard let session = self else { return }
            let kind = note.userInfo?["AVAudioSessionInterruptionTypeKey"] as? UInt
            session.queue.async { action(session, kind) }
        }
        observers.append(observer)
    }
}

/// Buffers of the microphone to mono samples at the model's rate. Called by one thread, the tap's.
private final class Tap: @unchecked Sendable {
    private let converter: AVAudioConverter
    private let output: AVAudioFormat
    private let ratio: Double
    private var expected: AVAudioFramePosition?

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

    /// Samples, at the model's rate, that the device dropped before `buffer`.
    func lost(before buffer: AVAudioPCMBuffer, at time: AVAudioTime) -> Int {
        guard time.isSampleTimeValid else { return 0 }
        let missing = expected.map { max(0, time.sampleTime - $0) } ?? 0
        expected = time.sampleTime + AVAudioFramePosition(buffer.frameLength)
        return Int(Double(missing) * ratio)
    }

    func convert(_ buffer: AVAudioPCMBuffer) -> [Float] {
        let capacity = AVAudioFrameCount(Double(buffer.frameLength) * ratio) + 64
        guard let made = AVAudioPCMBuffer(pcmFormat: output, frameCapacity: capacity) else { return [] }
        let once = Once(buffer)
        var error: NSError?
        _ = converter.convert(to: made, error: &error) { _, status in
            let next = once.take()
            status.pointee = next == nil ? .noDataNow : .haveData
            return next
        }
        guard error == nil, let channel = made.floatChannelData?[0] else { return [] }
        return Array(UnsafeBufferPointer(start: channel, count: Int(made.frameLength)))
    }
}

/// A buffer that is handed out once.
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
