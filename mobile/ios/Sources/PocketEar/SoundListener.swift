/// Listens to the microphone and reports the sounds that it detects.
///
///     let listener = try await SoundListener()
///     for try await event in listener.events() {
///         print(event.label, event.startSeconds)
///     }
///
/// Everything about the model is read from the .mlpackage in the package. The app's Info.plist says
/// why it listens, in NSMicrophoneUsageDescription. Phone calls and other interruptions pause it.
public final class SoundListener: Sendable {
    /// What the model is.
    public let card: ModelCard
    private let model: @Sendable () throws -> SoundModel
    private let microphone: @Sendable () -> Microphone
    private let patience: Patience

    /// Listens with a model and a microphone of the app's own; both are made anew for each stream.
    public convenience init(
        card: ModelCard,
        model: @escaping @Sendable () throws -> SoundModel,
        microphone: @escaping @Sendable () -> Microphone
    ) {
        self.init(card: card, model: model, microphone: microphone, patience: Patience())
    }

    init(
        card: ModelCard,
        model: @escaping @Sendable () throws -> SoundModel,
        microphone: @escaping @Sendable () -> Microphone,
        patience: Patience
    ) {
        self.card = card
        self.model = model
        self.microphone = microphone
        self.patience = patience
    }

    /// Begins to listen; ends when the task that reads it is cancelled. Then, and before an error is
    /// thrown, each event that was reported is reported as ended.
    ///
    /// Throws `SoundListenerError` if the microphone is denied, and what the model or, at the start, the
    /// microphone throws. A microphone that is lost later is a state, and tried again.
    ///
    /// - Parameter onState: called with each state as it begins, on a thread of the listener.
    public func events(
        onState: @escaping @Sendable (ListenerState) -> Void = { _ in }
    ) -> AsyncThrowingStream<SoundEvent, Error> {
        AsyncThrowingStream { continuation in
            let microphone = self.microphone()
            let session: ListeningSession
            do {
                session = ListeningSession(
                    card: card, model: try model(), microphone: microphone, patience: patience,
                    onEvent: { continuation.yield($0) }, onState: onState,
                    onEnd: { continuation.finish(throwing: $0) })
            } catch {
                continuation.finish(throwing: error)
                return
            }
            // Before the stream ends: what is yielded here still arrives.
            continuation.onTermination = { _ in session.stop() }
            Task {
                if await microphone.requestAccess() {
                    session.start()
                } else {
                    continuation.finish(
                        throwing: SoundListenerError("the microphone is denied; the user allows it in Settings"))
                }
            }
        }
    }
}

#if canImport(CoreML)
import CoreML

extension SoundListener {
    /// Listens with the model in the package.
    ///
    /// - Parameters:
    ///   - computeUnits: what Core ML may use. iOS refuses the GPU to an app in the background.
    ///   - microphone: where samples come from, made anew for each stream.
    public convenience init(
        computeUnits: MLComputeUnits = .cpuAndNeuralEngine,
        microphone: @escaping @Sendable () -> Microphone
    ) async throws {
        let runner = try await ModelRunner(computeUnits: computeUnits)
        // Each stream has a runner of its own: a state is of one stream.
        self.init(card: runner.card, model: { try ModelRunner(model: runner.model) }, microphone: microphone)
    }
}

#if canImport(AVFoundation)
extension SoundListener {
    /// Listens with the model in the package and the device's microphone.
    ///
    /// - Parameter computeUnits: what Core ML may use. iOS refuses the GPU to an app in the background.
    public convenience init(computeUnits: MLComputeUnits = .cpuAndNeuralEngine) async throws {
        try await self.init(computeUnits: computeUnits, microphone: { AudioEngineMicrophone() })
    }
}
#endif
#endif
