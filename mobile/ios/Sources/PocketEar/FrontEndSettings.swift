import Foundation

/// The `frontend` section of a model's card, and the constants that follow from it.
///
/// Lengths in samples, frequencies in Hz; names, window, filters and DCT as in librosa.
struct FrontEndSettings: Decodable, Sendable {
    enum Kind: String, Decodable { case log_mel, mfcc }
    enum Scale: String, Decodable { case slaney, htk }
    enum Norm: String, Decodable { case slaney, none }
    enum Log: String, Decodable { case db, ln }

    let kind: Kind
    let sample_rate: Int
    private(set) var window_length: Int
    let n_fft: Int
    let win_length: Int
    let hop_length: Int
    let n_mels: Int
    let fmin: Double
    let fmax: Double
    let mel_scale: Scale
    let mel_norm: Norm
    let center: Bool
    let log: Log
    let floor: Float
    let n_mfcc: Int
    let lifter: Int

    /// Reads the section of a card's text.
    init(card json: Data) throws {
        struct Card: Decodable {
            let sample_rate: Int
            let window_length: Int
            let frontend: FrontEndSettings
        }
        let card: Card
        do {
            card = try JSONDecoder().decode(Card.self, from: json)
        } catch {
            throw SoundListenerError("\(ModelCard.key): no front-end that can be read; export it again: \(error)")
        }
        self = card.frontend
        try check()
        if window_length != card.window_length || sample_rate != card.sample_rate {
            throw SoundListenerError("\(ModelCard.key): front-end of another window or rate; export it again")
        }
    }

    /// The same front-end for sounds of `length` samples, as a chunk is.
    func of(length: Int) throws -> FrontEndSettings {
        var settings = self
        settings.window_length = length
        try settings.check()
        return settings
    }

    private func check() throws {
        let lengths = 1...1 << 24
        let rules: [(String, Bool)] = [
            ("wrong lengths", lengths.contains(window_length) && lengths.contains(hop_length)),
            ("sample_rate must be 4000 to 192000", (4000...192_000).contains(sample_rate)),
            ("n_fft must be a power of two, 16 or more", n_fft >= 16 && n_fft & (n_fft - 1) == 0),
            ("n_fft must be at most window_length", n_fft <= window_length),
            ("win_length must be 2 to n_fft", win_length >= 2 && win_length <= n_fft),
            ("hop_length must be at most n_fft", hop_length <= n_fft),
            ("n_mels must be 1 to 4096", (1...4096).contains(n_mels)),
            ("n_mfcc must be 1 to n_mels", n_mfcc >= 1 && n_mfcc <= n_mels),
            ("fmin must be below fmax", fmin >= 0 && fmin < fmax),
            ("fmax must be at most half of sample_rate", fmax <= Double(sample_rate) / 2),
            ("floor must be above 0", floor > 0 && floor.isFinite),
            ("lifter must not be negative", lifter >= 0),
        ]
        for (rule, holds) in rules where !holds {
            throw SoundListenerError("\(ModelCard.key): front-end: \(rule); export it again")
        }
    }

    /// A periodic Hann window, centred in zeros up to n_fft.
    func hann() -> [Float] {
        var window = [Float](repeating: 0, count: n_fft)
        for index in 0..<win_length {
            let turn = 2 * Double.pi * Double(index) / Double(win_length)
            window[(n_fft - win_length) / 2 + index] = Float(0.5 - 0.5 * cos(turn))
        }
        return window
    }

    /// Triangles over the bins, evenly spaced in mels from fmin to fmax: one a mel.
    func filters() -> [Filter] {
        let (low, high) = (mel(fmin), mel(fmax))
        let corners = (0..<n_mels + 2).map { hertz(low + (high - low) * Double($0) / Double(n_mels + 1)) }
        return (0..<n_mels).map { triangle(corners[$0], corners[$0 + 1], corners[$0 + 2]) }
    }

    /// The filter that rises from `low` to `peak` and falls to `high`; of peak 1, or of equal area.
    private func triangle(_ low: Double, _ peak: Double, _ high: Double) -> Filter {
        let height = mel_norm == .slaney ? 2 / (high - low) : 1
        let weights = (0..<n_fft / 2).map { bin in  // at half of the sample rate all have ended
            let hertz = Double(bin) * Double(sample_rate) / Double(n_fft)
            return Float(height * max(0, min((hertz - low) / (peak - low), (high - hertz) / (high - peak))))
        }
        let first = weights.firstIndex { $0 != 0 } ?? 0
        let last = weights.lastIndex { $0 != 0 } ?? 0
        return Filter(first: first, weights: Array(weights[first...last]))
    }

    /// Rows of an orthonormal DCT-II, liftered: one a coefficient.
    func cosines() -> [[Float]] {
        (0..<n_mfcc).map { number in
            let unit = (Double(number == 0 ? 1 : 2) / Double(n_mels)).squareRoot()
            let turn = Double.pi * Double(number + 1) / Double(lifter)
            let lift = lifter == 0 ? 1 : 1 + Double(lifter) / 2 * sin(turn)
            return (0..<n_mels).map { mel in
                Float(lift * unit * cos(Double.pi * Double(number) * (Double(mel) + 0.5) / Double(n_mels)))
            }
        }
    }

    /// Slaney's scale is linear below 1000 Hz, which is 15 mels, and logarithmic above.
    private func mel(_ hertz: Double) -> Double {
        if mel_scale == .htk { return 2595 * log10(1 + hertz / 700) }
        return hertz < 1000 ? hertz * 3 / 200 : 15 + Foundation.log(hertz / 1000) * 27 / Foundation.log(6.4)
    }

    private func hertz(_ mel: Double) -> Double {
        if mel_scale == .htk { return 700 * (pow(10, mel / 2595) - 1) }
        return mel < 15 ? mel * 200 / 3 : 1000 * exp((mel - 15) * Foundation.log(6.4) / 27)
    }
}
