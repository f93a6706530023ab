import Foundation

/// Up to which frequency a recording holds sound, from its first seconds that are not quiet.
///
/// After those it does nothing, so it costs a few FFTs a recording. One thread at a time.
final class BandwidthMeter {
    private let sampleRate: Int
    private let quietPeak: Float
    private let spectrum = Spectrum()
    private var block: [Float] = []
    private var left: Int  // blocks

    init(sampleRate: Int, seconds: Double, quietPeak: Float) {
        self.sampleRate = sampleRate
        self.quietPeak = quietPeak
        left = Int((seconds * Double(sampleRate) / Double(Spectrum.size)).rounded(.up))
    }

    /// Takes samples, full scale 1. Returns, once, the frequency in Hz: half of the sample rate where
    /// the sound does not end before.
    func push(_ samples: [Float]) -> Double? {
        var rest = samples[...]
        while left > 0 && !rest.isEmpty {
            let more = rest.prefix(Spectrum.size - block.count)
            block += more
            rest = rest.dropFirst(more.count)
            if block.count < Spectrum.size { return nil }
            if !block.allSatisfy({ abs($0) <= quietPeak }) {
                spectrum.add(block)
                left -= 1
            }
            block = []
            if left == 0 { return cutoff(spectrum.power(), sampleRate: sampleRate) }
        }
        return nil
    }

    /// Samples are missing here.
    func skip() {
        block = []
    }
}

/// The mean power spectrum of blocks of samples (Hann, no overlap), as bandwidth.py's.
final class Spectrum {
    static let size = 2048

    private let math = PortableMath(size: Spectrum.size)
    private let window: [Float]
    private var latest: [Float]
    private var sum: [Double]
    private var blocks = 0

    init() {
        let size = Double(Spectrum.size)
        window = (0..<Spectrum.size).map { Float(0.5 - 0.5 * cos(2 * Double.pi * Double($0) / size)) }
        latest = Array(repeating: 0, count: Spectrum.size / 2 + 1)
        sum = Array(repeating: 0, count: Spectrum.size / 2 + 1)
    }

    func add(_ block: [Float]) {
        var windowed = block
        math.multiply(&windowed, by: window)
        math.power(of: windowed, into: &latest)
        for bin in sum.indices { sum[bin] += Double(latest[bin]) }
        blocks += 1
    }

    /// A sine of full scale = 1/4.
    func power() -> [Double] {
        let whole = window.reduce(0) { $0 + Double($1) }
        return sum.map { $0 / Double(blocks) / (whole * whole) }
    }
}

// bandwidth.py says why
private let band = 100.0  // Hz
private let lowest = 1000.0  // Hz
private let below = 0.80
private let above = 1.15
private let edgeDecibels = 15.0
private let ownFilter = 0.8
private let leastPower = 1e-14

/// The frequency of the steepest edge behind which nothing comes back, in Hz; half of `sampleRate` where
/// there is none. The search is bandwidth.py's, step by step; `power` is a `Spectrum`'s.
func cutoff(_ power: [Double], sampleRate: Int) -> Double {
    let nyquist = Double(sampleRate) / 2
    let binWidth = nyquist / Double(power.count - 1)
    let bins = max(1, Int((band / binWidth).rounded(.toNearestOrEven)))
    let width = Double(bins) * binWidth
    let level = levels(power, bins: bins)
    var loudestFrom = Array(repeating: Double.infinity, count: level.count + 1)
    for index in level.indices.reversed() {
        loudestFrom[index] = index == level.count - 1 ? level[index] : max(level[index], loudestFrom[index + 1])
    }
    var steepest = (drop: -Double.infinity, filled: 0.0, behind: 0)
    for edge in 1...level.count where Double(edge) * width >= lowest {  // an edge behind so many bands
        let first = Int((Double(edge) * below).rounded(.down))
        let behind = min(Int((Double(edge) * above).rounded(.up)), level.count)
        let filled = level[first..<edge].reduce(0, +) / Double(edge - first)
        let drop = filled - loudestFrom[behind]
        if drop > steepest.drop { steepest = (drop, filled, behind) }
    }
    if steepest.drop < edgeDecibels { return nyquist }
    let filled = level[..<steepest.behind].lastIndex { $0 >= steepest.filled - edgeDecibels / 2 }
    let found = Double((filled ?? 0) + 1) * width
    return found < ownFilter * nyquist ? found : nyquist
}

/// The median of the bins in each band, in dB.
private func levels(_ power: [Double], bins: Int) -> [Double] {
    stride(from: 1, through: power.count - bins, by: bins).map { first in
        let sorted = power[first..<first + bins].sorted()
        let median = (sorted[(bins - 1) / 2] + sorted[bins / 2]) / 2
        return 10 * log10(max(median, leastPower))
    }
}
