import Foundation

/// The front-end outside the model: a chunk to the log-mel or MFCC that a network-only model takes.
///
/// The same algorithm and precision as numpy_fft.py: each frame windowed, a real FFT, powers, mels, the
/// logarithm above the floor, the DCT. All constants come from the settings in the model's card.
/// Allocates nothing a chunk. One thread at a time.
final class FrontEnd {
    /// The name of a model's input that takes features; any other takes the waveform.
    static let input = "features"

    let frames: Int
    /// Features of one frame.
    let coefficients: Int

    private let settings: FrontEndSettings
    private let math: FrontEndMath
    private let window: [Float]  // Hann, centred in a frame
    private let filters: [Filter]  // one a mel
    private let cosines: [[Float]]  // one row a coefficient; none for log-mel
    private var frame: [Float]
    private var power: [Float]
    private var mels: [Float]

    /// `math`: nil takes what is fastest here, Accelerate where there is one.
    init(_ settings: FrontEndSettings, math: FrontEndMath? = nil) throws {
        self.settings = settings
        self.math = try math ?? FrontEnd.fastest(size: settings.n_fft)
        let padding = settings.center ? settings.n_fft : 0
        frames = 1 + (settings.window_length + padding - settings.n_fft) / settings.hop_length
        coefficients = settings.kind == .mfcc ? settings.n_mfcc : settings.n_mels
        window = settings.hann()
        filters = settings.filters()
        cosines = settings.kind == .mfcc ? settings.cosines() : []
        frame = Array(repeating: 0, count: settings.n_fft)
        power = Array(repeating: 0, count: settings.n_fft / 2 + 1)
        mels = Array(repeating: 0, count: settings.n_mels)
    }

    private static func fastest(size: Int) throws -> FrontEndMath {
        #if canImport(Accelerate)
        return try AccelerateMath(size: size)
        #else
        return PortableMath(size: size)
        #endif
    }

    /// Writes the features of `samples`, frame by frame, to `features`, of frames * coefficients.
    ///
    /// Where a sample is not a number or infinite, all of them are NaN, and the result is false.
    @discardableResult
    func features(of samples: [Float], into features: UnsafeMutableBufferPointer<Float>) throws -> Bool {
        if samples.count != settings.window_length || features.count != frames * coefficients {
            throw SoundListenerError(
                "front-end: \(samples.count) samples to \(features.count) features, "
                    + "want \(settings.window_length) to \(frames * coefficients)")
        }
        guard samples.allSatisfy({ $0.isFinite }) else {
            for index in features.indices { features[index] = .nan }
            return false
        }
        for index in 0..<frames {
            cut(index, of: samples)
            math.multiply(&frame, by: window)
            math.power(of: frame, into: &power)
            for (mel, filter) in filters.enumerated() {
                mels[mel] = math.dot(filter.weights, power, from: filter.first)
            }
            math.logarithm(of: &mels, floor: settings.floor, decibels: settings.log == .db)
            for coefficient in 0..<coefficients {
                features[index * coefficients + coefficient] =
                    settings.kind == .mfcc ? math.dot(cosines[coefficient], mels, from: 0) : mels[coefficient]
            }
        }
        return true
    }

    /// Frame `index` of `samples`, with zeros beyond their ends.
    private func cut(_ index: Int, of samples: [Float]) {
        let start = index * settings.hop_length - (settings.center ? settings.n_fft / 2 : 0)
        let inside = max(0, -start)..<min(frame.count, samples.count - start)
        for offset in frame.indices {
            frame[offset] = inside.contains(offset) ? samples[start + offset] : 0
        }
    }
}

/// The part of a mel's filter that is not zero: its weights from bin `first` on.
struct Filter {
    let first: Int
    let weights: [Float]
}

/// What `FrontEnd` computes with: plain Swift, or Accelerate. Arrays keep their lengths.
protocol FrontEndMath {
    func multiply(_ values: inout [Float], by factors: [Float])
    /// Squared magnitudes of the real FFT of a frame: half of its length and one.
    func power(of frame: [Float], into power: inout [Float])
    /// The sum of `weights` times `values`, the first with `values[from]`.
    func dot(_ weights: [Float], _ values: [Float], from: Int) -> Float
    /// 10 log10, or ln, of powers, of `floor` where they are below it.
    func logarithm(of powers: inout [Float], floor: Float, decibels: Bool)
}
