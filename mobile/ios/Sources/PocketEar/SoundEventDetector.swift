import Foundation

/// A window of samples to one score a label, in the order of the card's labels.
public protocol SoundModel {
    /// `carried`: the window run last is the one a hop earlier in the same unbroken stream, so only the
    /// newest hop of samples is new. The scores are the same as without.
    func scores(of window: [Float], carried: Bool) throws -> [Float]
}

/// Samples at the model's rate to events: windows, model, `EventDecoder`.
///
/// A window with no sample beyond the card's quiet peak is not put to the model: all its scores are 0.
/// Digital silence, which is what a muted microphone gives, is always quiet. Nor is a window with a
/// sample that is not finite: it has no scores, so it is ignored and ends what sounds.
///
/// One thread at a time pushes; `close` may be called from any other. Events come on the thread that
/// pushes or closes.
///
/// Unchecked: `decoder` and `closed` are touched under `lock` alone, all else by the thread that pushes.
public final class SoundEventDetector: @unchecked Sendable {
    private var buffer: WindowBuffer
    private let decoder: EventDecoder
    private let lock = NSRecursiveLock()  // the model runs outside of it
    private let model: SoundModel
    private let hop: Int
    private let quietPeak: Float
    private let labels: Int
    private var quiet = 0  // samples at the end of the last window that are quiet
    private var finite = 0  // and that are finite
    private var next: Int?  // where a window that follows the last one starts
    private var ran = false  // whether the last window was put to the model
    private var closed = false

    /// Windows without scores: samples that are not finite, or a model that does not work here.
    public var ignored: Int { lock.withLock { decoder.ignored } }

    public init(card: ModelCard, model: SoundModel, onEvent: @escaping (SoundEvent) -> Void) {
        buffer = WindowBuffer(windowLength: card.windowLength, hop: card.hopLength)
        decoder = EventDecoder(card: card, onEvent: onEvent)
        labels = card.labels.count
        hop = card.hopLength
        quietPeak = Float(card.quietPeak)
        self.model = model
    }

    /// Takes samples, -1 to 1. If the model throws, the stream is broken there and goes on after them.
    public func push(_ samples: [Float]) throws {
        let classify = self.classify
        let end = buffer.end + samples.count
        do {
            try buffer.push(samples) { window, start in try classify(window, start) }
        } catch {
            skip(end - buffer.end)
            throw error
        }
    }

    /// `count` samples are missing here.
    public func skip(_ count: Int) {
        buffer.skip(count)
        next = nil
        lock.withLock {
            if !closed { decoder.gap(start: buffer.start) }
        }
    }

    /// The stream is over. One shorter than a window is classified now, zero-padded.
    public func finish() throws {
        if let rest = buffer.finish() { try classify(rest, buffer.start) }
        close()
    }

    /// Ends what sounds at once, also while the model runs. There is no event after it returned.
    public func close() {
        lock.withLock {
            if closed { return }
            closed = true
            decoder.finish()
        }
    }

    private func classify(_ window: [Float], _ start: Int) throws {
        if lock.withLock({ closed }) { return }
        let follows = start == next
        let carried = follows && ran
        quiet = atEnd(of: window, follows: follows, before: quiet) { abs($0) <= quietPeak }
        finite = atEnd(of: window, follows: follows, before: finite) { $0.isFinite }
        next = start + hop
        ran = false  // also if the model throws
        let scores: [Float]
        if finite < window.count {
            scores = Array(repeating: .nan, count: labels)
        } else if quiet == window.count {
            scores = Array(repeating: 0, count: labels)
        } else {
            scores = try model.scores(of: window, carried: carried)
            ran = true
        }
        try lock.withLock {
            if !closed { try decoder.push(scores) }
        }
    }

    /// Of how many samples at the end `holds` is true. Of a window that `follows` only the newest hop is
    /// new; `before` is the number of the window before it.
    private func atEnd(
        of window: [Float], follows: Bool, before: Int, holds: (Float) -> Bool
    ) -> Int {
        let known = follows ? window.count - hop : 0
        var at = window.count
        while at > known && holds(window[at - 1]) { at -= 1 }
        return follows && at == known ? min(before + hop, window.count) : window.count - at
    }
}
