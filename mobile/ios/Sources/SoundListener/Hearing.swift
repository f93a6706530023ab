/// A window of samples to one score a label, in the order of the card's labels.
public protocol SoundModel {
    /// `carried`: the window run last is the one a hop earlier in the same unbroken stream, so only the
    /// newest hop of samples is new. The scores are the same as without.
    func scores(of window: [Float], carried: Bool) throws -> [Float]
}

/// Samples at the model's rate to events: windows, model, `Listener`. One thread at a time.
///
/// A window with no sample beyond the card's quiet peak is not put to the model: all its scores are 0.
/// Digital silence, which is what a muted microphone gives, is always quiet.
public final class Hearing {
    private var buffer: WindowBuffer
    private let listener: Listener
    private let model: SoundModel
    private let hop: Int
    private let quietPeak: Float
    private let silence: [Float]
    private var quiet = 0  // samples at the end of the last window that are quiet
    private var next: Int?  // where a window that follows the last one starts
    private var ran = false  // whether the last window was put to the model

    /// Windows whose scores were not all numbers: a model that does not work here.
    public var ignored: Int { listener.ignored }

    public init(card: ModelCard, model: SoundModel, tell: @escaping (Event) -> Void) {
        buffer = WindowBuffer(windowLength: card.windowLength, hop: card.hopLength)
        listener = Listener(card: card, tell: tell)
        silence = Array(repeating: 0, count: card.labels.count)
        hop = card.hopLength
        quietPeak = Float(card.quietPeak)
        self.model = model
    }

    /// Takes samples, -1 to 1. If the model throws, the stream is broken there and goes on after them.
    public func push(_ samples: [Float]) throws {
        let hear = self.hear
        do {
            try buffer.push(samples) { window, start in try hear(window, start) }
        } catch {
            lose(0)
            throw error
        }
    }

    /// `lost` samples are missing here.
    public func lose(_ lost: Int) {
        buffer.lose(lost)
        next = nil
        listener.gap(start: buffer.start)
    }

    /// The stream is over.
    public func finish() throws {
        if let rest = buffer.finish() { try hear(rest, buffer.start) }
        listener.finish()
    }

    private func hear(_ window: [Float], _ start: Int) throws {
        let follows = start == next
        let carried = follows && ran
        quiet = quietAtEnd(of: window, follows: follows)
        next = start + hop
        ran = false  // also if the model throws
        if quiet == window.count {
            try listener.push(silence)
        } else {
            let scores = try model.scores(of: window, carried: carried)
            ran = true
            try listener.push(scores)
        }
    }

    /// How many samples at the end are quiet. Of a window that `follows` only the newest hop is new.
    private func quietAtEnd(of window: [Float], follows: Bool) -> Int {
        let known = follows ? window.count - hop : 0
        var at = window.count
        while at > known && abs(window[at - 1]) <= quietPeak { at -= 1 }  // not a number is not quiet
        return follows && at == known ? min(quiet + hop, window.count) : window.count - at
    }
}
