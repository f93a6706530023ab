/// A stream cut into windows, `hop` samples apart. Allocates nothing after it is made.
public struct WindowBuffer {
    private var held: [Float]
    private let hop: Int
    private var count = 0
    private var whole = false  // whether a window came out since the start, or since a gap

    /// Index in the stream of the first sample held.
    public private(set) var start = 0

    public init(windowLength: Int, hop: Int) {
        held = Array(repeating: 0, count: windowLength)
        self.hop = hop
    }

    /// Takes samples; hands each window, and where it starts, to `use` as it fills up.
    ///
    /// If `use` throws, the samples that follow its window are not taken.
    public mutating func push(_ samples: [Float], use: ([Float], Int) throws -> Void) rethrows {
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

    /// `lost` samples of the stream are lost: no window spans them.
    public mutating func lose(_ lost: Int) {
        start += count + lost
        count = 0
        whole = false
    }

    /// The window of a stream shorter than a window, zero-padded at its end; else nil.
    public mutating func finish() -> [Float]? {
        if whole || count == 0 { return nil }
        for index in count..<held.count {
            held[index] = 0
        }
        return held
    }
}
