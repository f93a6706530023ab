/// Where a `SoundListener` takes its samples from: `AudioEngineMicrophone`, a source of the app's own,
/// or a fake in a test. One of its own for each stream of events.
///
/// `start`, `stop` and `close` are called one at a time.
public protocol Microphone: AnyObject, Sendable {
    /// Whether the user grants the microphone; asks if that is not known.
    func requestAccess() async -> Bool

    /// Reports what happens around it to `onChange`, on any thread, until `close`. Called once, first.
    func observe(_ onChange: @escaping @Sendable (MicrophoneChange) -> Void)

    /// Begins to record mono samples at `sampleRate` Hz, some `blockSeconds` at a time.
    ///
    /// They go to `onSamples`, on one thread, with how many were lost before them. Throws if nothing can
    /// be recorded now; it is tried again later.
    func start(
        sampleRate: Double, blockSeconds: Double,
        onSamples: @escaping @Sendable (_ samples: [Float], _ lost: Int) -> Void) throws

    /// Stops recording. It may be started again.
    func stop()

    /// The end of `observe`.
    func close()
}

/// What happens around a microphone.
public enum MicrophoneChange: Sendable {
    /// It was taken away, as by a phone call.
    case interrupted
    /// It may be had again: an interruption has ended, or the app is in the foreground.
    case available
    /// It gives another format, or is another one: it has to be started anew.
    case replaced
}

/// What a `SoundListener` does while a stream of events is read.
public enum ListenerState: Equatable, Sendable {
    /// The microphone is open, but gave no samples yet.
    case starting
    /// Samples come.
    case listening
    /// Samples come, but for two seconds all were 0: the microphone is muted.
    case silenced
    /// Samples come, but the sound ends at `bandwidth` Hz, below what the model was trained on: a headset
    /// in a phone call, for example. Its scores are not to be relied on.
    case narrow(bandwidth: Double)
    /// No samples come. The microphone is tried again by itself, and when the app is in the foreground.
    case paused
}
