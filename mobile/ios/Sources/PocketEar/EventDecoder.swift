/// Scores of successive windows to events: the same algorithm, to the last bit, as listener.py.
///
/// Nothing is allocated a window; an event is, when there is one to report. One thread at a time.
public final class EventDecoder {
    private let card: ModelCard
    private let onEvent: (SoundEvent) -> Void
    private let middle: Int
    private let minSamples: Int
    private let refractory: Int
    private var history: [[Float]]
    private var states: [State]
    private var seen = 0
    private var next = 0  // where the next window starts, in samples

    /// Windows whose scores were not all numbers.
    public private(set) var ignored = 0

    public init(card: ModelCard, onEvent: @escaping (SoundEvent) -> Void) {
        self.card = card
        self.onEvent = onEvent
        middle = (card.windowLength - card.hopLength) / 2
        minSamples = Int(card.minSeconds * Double(card.sampleRate) + 0.5)
        refractory = Int(card.refractorySeconds * Double(card.sampleRate) + 0.5)
        history = Array(repeating: Array(repeating: 0, count: card.labels.count), count: card.smoothing)
        states = []
        for (index, label) in card.labels.enumerated() {
            if let threshold = card.thresholds[label] {
                states.append(State(index: index, on: threshold, off: threshold - card.hysteresis))
            }
        }
    }

    /// Takes the scores of the next window.
    public func push(_ scores: [Float]) throws {
        if scores.count != card.labels.count {
            throw SoundListenerError(
                "listener: \(scores.count) scores for \(card.labels.count) labels; export the model again")
        }
        let start = next + middle
        next += card.hopLength
        for score in scores where !score.isFinite {
            ignored += 1
            endAll()
            return
        }
        let row = seen % history.count
        for index in scores.indices {
            history[row][index] = scores[index]
        }
        seen += 1
        for index in states.indices {
            step(index, start: start)
        }
    }

    /// The stream broke; its next window starts at sample `start`.
    public func gap(start: Int) {
        next = start
        endAll()
    }

    /// The stream is over.
    public func finish() {
        endAll()
    }

    /// Summed oldest first, then divided, in 32 bits: the order is part of the contract.
    private func mean(_ label: Int) -> Float {
        let count = min(seen, history.count)
        var total: Float = 0
        for row in (seen - count)..<seen {
            total += history[row % history.count][label]
        }
        return total / Float(count)
    }

    private func step(_ index: Int, start: Int) {
        let mean = self.mean(states[index].index)
        if !states[index].sounding {
            if mean < states[index].on || start < states[index].ready { return }
            states[index].begin(start)
        } else if mean < states[index].off {
            end(index)
            return
        }
        states[index].end = start + card.hopLength
        if mean > states[index].peak { states[index].peak = mean }
        let lasted = states[index].end - states[index].start
        if states[index].reported || lasted < minSamples { return }
        states[index].reported = true
        onEvent(event(states[index], ended: false))
    }

    private func endAll() {
        seen = 0
        for index in states.indices where states[index].sounding {
            end(index)
        }
    }

    private func end(_ index: Int) {
        states[index].sounding = false
        if !states[index].reported { return }
        states[index].ready = states[index].end + refractory
        onEvent(event(states[index], ended: true))
    }

    private func event(_ state: State, ended: Bool) -> SoundEvent {
        SoundEvent(
            label: card.labels[state.index],
            startSeconds: Double(state.start) / Double(card.sampleRate),
            endSeconds: Double(state.end) / Double(card.sampleRate),
            peak: state.peak,
            ended: ended)
    }

    /// Where one label stands. Positions in samples of the stream.
    private struct State {
        let index: Int
        let on: Float
        let off: Float
        var sounding = false
        var reported = false
        var start = 0
        var end = 0
        var ready = 0
        var peak: Float = 0

        init(index: Int, on: Float, off: Float) {
            self.index = index
            self.on = on
            self.off = off
        }

        mutating func begin(_ at: Int) {
            sounding = true
            reported = false
            start = at
            peak = 0
        }
    }
}
