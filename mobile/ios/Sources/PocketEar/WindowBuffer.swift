/// A stream cut into windows, `hop` samples apart. Allocates nothing after it is made.
struct WindowBuffer {
    private var held: [Float]
    private let hop: Int
    private var count = 0
    private var whole = false  // whether a window came out since the start, or since a gap

    /// Index in the stream of the first sample held.
    private(set) var start = 0

    /// Index in the stream of the next sample.
    var end: Int { start + count }

    init(windowLength: Int, hop: Int) {
        held = Array(repeating: 0, count: windowLength)
        self.hop = hop
    }

    /// Takes samples; hands each window, and where it starts, to `use` as it fills up.
    ///
    /// If `use` throws, the samples that follow its window are not taken.
    mutating func push(_ samples: [Float], use: ([Float], Int) throws -> Void) rethrows {
        for sample in samples {
            held[count] = sample
            count += 1
            if count == held.count {
                whole = true
                defer { advance() }
                try use(held, start)
            }
        }
    }

    /// Makes room for the next hop.
    private mutating func advance() {
        for index in hop..<max(hop, held.count) {
            held[index - hop] = held[index]
        }
        count -= hop
        start += hop
    }

    /// `missing` samples of the stream are missing: no window spans them.
    mutating func skip(_ missing: Int) {
        start += count + missing
        count = 0
        whole = false
    }

    /// The window of a stream shorter than a window, zero-padded at its end; else nil.
    mutating func finish() -> [Float]? {
        if whole || count == 0 { return nil }
        for index in count..<held.count {
            held[index] = 0
        }
        return held
    }
}
