/// A window of samples to one score a label, in the order of the card's labels.
public protocol SoundModel {
    func scores(of window: [Float]) throws -> [Float]
}

/// Samples at the model's rate to events: windows, model, `Listener`. One thread at a time.
///
/// A window of digital silence, which is what a muted microphone gives, is not put to the model:
/// all its scores are 0.
public final class Hearing {
    private var buffer: WindowBuffer
    private let listener: Listener
    private let model: SoundModel
    private let silence: [Float]

    /// Windows whose scores were not all numbers: a model that does not work here.
    public var ignored: Int { listener.ignored }

    public init(card: ModelCard, model: SoundModel, tell: @escaping (Event) -> Void) {
        buffer = WindowBuffer(windowLength: card.windowLength, hop: card.hopLength)
        listener = Listener(card: card, tell: tell)
        silence = Array(repeating: 0, count: card.labels.count)
        self.model = model
    }

    /// Takes samples, -1 to 1.
    public func push(_ samples: [Float]) throws {
        let hear = self.hear
        try buffer.push(samples) { window, _ in try hear(window) }
    }

    /// `lost` samples are missing here.
    public func lose(_ lost: Int) {
        buffer.lose(lost)
        listener.gap(start: buffer.start)
    }

    /// The stream is over.
    public func finish() throws {
        if let rest = buffer.finish() { try hear(rest) }
        listener.finish()
    }

    private func hear(_ window: [Float]) throws {
        let silent = window.allSatisfy { $0 == 0 }
        try listener.push(silent ? silence : model.scores(of: window))
    }
}
