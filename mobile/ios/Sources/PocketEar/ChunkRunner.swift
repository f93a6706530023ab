/// Windows to scores by a model of one chunk at a time: a window is run chunk by chunk from the state
/// `fresh`. Where the state is carried, only the newest chunk is run.
///
/// A chunk as long as the window is a model without a state.
struct ChunkRunner<State> {
    /// A chunk and the state before it to scores and the state after it; nil where there are no scores.
    typealias Step = ([Float], State) throws -> (scores: [Float], state: State)?

    private let length: Int
    private let fresh: State
    private var kept: State?  // after the last window, if that has scores

    /// `length`: of a chunk, in samples.
    init(length: Int, fresh: State) {
        self.length = length
        self.fresh = fresh
    }

    /// The scores of the newest chunk; nil where a chunk has none.
    mutating func scores(of window: [Float], carried: Bool, step: Step) rethrows -> [Float]? {
        var state = fresh
        var start = 0
        if carried, let kept {
            state = kept
            start = window.count - length
        }
        kept = nil
        var scores: [Float]?
        while start < window.count {
            guard let found = try step(Array(window[start..<start + length]), state) else { return nil }
            scores = found.scores
            state = found.state
            start += length
        }
        kept = state
        return scores
    }
}
