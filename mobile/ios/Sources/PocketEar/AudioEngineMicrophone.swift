#if canImport(AVFoundation)
import AVFoundation
import Foundation
#if os(iOS)
import UIKit
#endif

/// The device's microphone, by an AVAudioEngine of its own.
///
/// Unchecked: `engine` and `observers` change in calls that come one at a time, and under `lock`, since
/// notifications read the first.
public final class AudioEngineMicrophone: Microphone, @unchecked Sendable {
    /// Who decides on the app's AVAudioSession. There is none on macOS.
    public enum AudioSession: Sendable {
        /// The listener: a category that cannot record is changed to .playAndRecord, mixed with other
        /// sound, in .measurement mode, and the session is activated. It is never deactivated, as the app
        /// may be playing.
        case managed
        /// The app: category, mode and activation are left as they are.
        case appOwned
    }

    private let audioSession: AudioSession
    private let lock = NSLock()
    private var engine: AVAudioEngine?
    private var observers: [NSObjectProtocol] = []

    public init(audioSession: AudioSession = .managed) {
        self.audioSession = audioSession
    }

    deinit {
        close()
    }

    public func requestAccess() async -> Bool {
        await AVCaptureDevice.requestAccess(for: .audio)
    }

    public func observe(_ onChange: @escaping @Sendable (MicrophoneChange) -> Void) {
        // Another microphone, or another format of it.
        on(.AVAudioEngineConfigurationChange) { [weak self] note in
            guard let self, let changed = note.object as? AVAudioEngine else { return }
            if self.lock.withLock({ self.engine === changed }) { onChange(.replaced) }
        }
        #if os(iOS)
        on(AVAudioSession.interruptionNotification) { note in
            let kind = note.userInfo?[AVAudioSessionInterruptionTypeKey] as? UInt
            onChange(kind == AVAudioSession.InterruptionType.began.rawValue ? .interrupted : .available)
        }
        on(AVAudioSession.mediaServicesWereResetNotification) { _ in onChange(.replaced) }
        on(UIApplication.didBecomeActiveNotification) { _ in onChange(.available) }
        #endif
    }

    /// With an engine of its own: one that lived through a reset of the media services is dead.
    public func start(
        sampleRate: Double, blockSeconds: Double,
        onSamples: @escaping @Sendable (_ samples: [Float], _ lost: Int) -> Void
    ) throws {
        #if os(iOS)
        if audioSession == .managed { try activate() }
        #endif
        let engine = AVAudioEngine()
        let format = engine.inputNode.outputFormat(forBus: 0)
        guard format.sampleRate > 0, format.channelCount > 0 else {
            throw SoundListenerError("the microphone cannot be opened: another app may hold it")
        }
        // A hop, as no window is complete before. The system may give less: 0.4 s is the most, says
        // AVAudioNode.h.
        let size = AVAudioFrameCount((blockSeconds * format.sampleRate).rounded(.up))
        let tap = Tap(rate: sampleRate)
        // Of no format: one that a route has just made stale would raise an Objective-C exception, which
        // Swift cannot catch. The tap follows the format of what comes.
        engine.inputNode.installTap(onBus: 0, bufferSize: size, format: nil) { buffer, time in
            let (lost, samples) = tap.take(buffer, at: time)
            onSamples(samples, lost)
        }
        lock.withLock { self.engine = engine }
        engine.prepare()
        try engine.start()
    }

    public func stop() {
        let engine = lock.withLock {
            defer { self.engine = nil }
            return self.engine
        }
        engine?.inputNode.removeTap(onBus: 0)
        engine?.stop()
    }

    public func close() {
        for observer in observers { NotificationCenter.default.removeObserver(observer) }
        observers = []
    }

    #if os(iOS)
    private func activate() throws {
        let session = AVAudioSession.sharedInstance()
        let recording: [AVAudioSession.Category] = [.record, .playAndRecord, .multiRoute]
        if !recording.contains(session.category) {
            // .measurement: without gain control or noise suppression
            try session.setCategory(
                .playAndRecord, mode: .measurement,
                options: [.mixWithOthers, .defaultToSpeaker, .allowBluetoothA2DP])
        }
        try session.setActive(true)
    }
    #endif

    private func on(_ name: Notification.Name, _ action: @escaping @Sendable (Notification) -> Void) {
        observers.append(NotificationCenter.default.addObserver(forName: name, object: nil, queue: nil, using: action))
    }
}

/// Buffers of the microphone, of any format, to mono samples at the model's rate.
///
/// Unchecked: called by one thread, the tap's.
final class Tap: @unchecked Sendable {
    private let rate: Double
    private var converter: AVAudioConverter?
    private var expected: AVAudioFramePosition?
    private var unconverted: AVAudioFramePosition = 0

    init(rate: Double) {
        self.rate = rate
    }

    /// The samples of `buffer`, and how many were lost before it; both at the model's rate.
    func take(_ buffer: AVAudioPCMBuffer, at time: AVAudioTime) -> (lost: Int, samples: [Float]) {
        unconverted += missing(before: buffer, at: time)
        guard let samples = convert(buffer) else {
            unconverted += AVAudioFramePosition(buffer.frameLength)
            return (0, [])
        }
        defer { unconverted = 0 }
        return (Int(Double(unconverted) * rate / buffer.format.sampleRate), samples)
    }

    /// Frames that the device dropped before `buffer`.
    private func missing(before buffer: AVAudioPCMBuffer, at time: AVAudioTime) -> AVAudioFramePosition {
        guard time.isSampleTimeValid else { return 0 }
        let missing = expected.map { max(0, time.sampleTime - $0) } ?? 0
        expected = time.sampleTime + AVAudioFramePosition(buffer.frameLength)
        return missing
    }

    private func convert(_ buffer: AVAudioPCMBuffer) -> [Float]? {
        guard let converter = converter(from: buffer.format) else { return nil }
        let capacity = AVAudioFrameCount(Double(buffer.frameLength) * rate / buffer.format.sampleRate) + 64
        guard let made = AVAudioPCMBuffer(pcmFormat: converter.outputFormat, frameCapacity: capacity)
        else { return nil }
        let once = Once(buffer)
        let status = converter.convert(to: made, error: nil) { _, status in
            let next = once.take()
            status.pointee = next == nil ? .noDataNow : .haveData
            return next
        }
        guard status != .error, let channel = made.floatChannelData?[0] else { return nil }
        return Array(UnsafeBufferPointer(start: channel, count: Int(made.frameLength)))
    }

    /// The converter at hand, or a new one where the format has changed.
    private func converter(from input: AVAudioFormat) -> AVAudioConverter? {
        if let converter, converter.inputFormat == input { return converter }
        converter = nil
        guard input.sampleRate > 0, input.channelCount > 0,
            let output = AVAudioFormat(
                commonFormat: .pcmFormatFloat32, sampleRate: rate, channels: 1, interleaved: false),
            let made = AVAudioConverter(from: input, to: output)
        else { return nil }
        made.sampleRateConverterQuality = AVAudioQuality.max.rawValue
        made.downmix = true
        converter = made
        return made
    }
}

/// A buffer that is given once.
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
