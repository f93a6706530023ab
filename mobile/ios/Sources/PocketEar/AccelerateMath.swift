#if canImport(Accelerate)
import Accelerate

/// By vDSP and vForce. One thread at a time.
final class AccelerateMath: FrontEndMath {
    private let half: Int
    private let log2: vDSP_Length
    private let setup: FFTSetup
    private let real: UnsafeMutablePointer<Float>
    private let imaginary: UnsafeMutablePointer<Float>

    /// `size`: of a frame, a power of two.
    init(size: Int) throws {
        half = size / 2
        log2 = vDSP_Length(size.trailingZeroBitCount)
        guard let setup = vDSP_create_fftsetup(log2, FFTRadix(kFFTRadix2)) else {
            throw SoundListenerError("Accelerate has no memory for an FFT of \(size) samples")
        }
        self.setup = setup
        real = .allocate(capacity: half)
        imaginary = .allocate(capacity: half)
    }

    deinit {
        vDSP_destroy_fftsetup(setup)
        real.deallocate()
        imaginary.deallocate()
    }

    func multiply(_ values: inout [Float], by factors: [Float]) {
        values.withUnsafeMutableBufferPointer { values in
            guard let start = values.baseAddress else { return }
            vDSP_vmul(start, 1, factors, 1, start, 1, vDSP_Length(values.count))
        }
    }

    /// vDSP's real FFT is twice the mathematical one, and has bin `half` as imaginary part of bin 0.
    func power(of frame: [Float], into power: inout [Float]) {
        var spectrum = DSPSplitComplex(realp: real, imagp: imaginary)
        frame.withUnsafeBufferPointer { frame in
            frame.baseAddress?.withMemoryRebound(to: DSPComplex.self, capacity: half) { pairs in
                vDSP_ctoz(pairs, 2, &spectrum, 1, vDSP_Length(half))
            }
        }
        vDSP_fft_zrip(setup, &spectrum, 1, log2, FFTDirection(kFFTDirection_Forward))
        power[half] = imaginary[0] * imaginary[0]
        imaginary[0] = 0
        power.withUnsafeMutableBufferPointer { power in
            guard let start = power.baseAddress else { return }
            var quarter: Float = 0.25
            vDSP_zvmags(&spectrum, 1, start, 1, vDSP_Length(half))
            vDSP_vsmul(start, 1, &quarter, start, 1, vDSP_Length(power.count))
        }
    }

    func dot(_ weights: [Float], _ values: [Float], from: Int) -> Float {
        var total: Float = 0
        values.withUnsafeBufferPointer { values in
            guard let start = values.baseAddress else { return }
            vDSP_dotpr(weights, 1, start + from, 1, &total, vDSP_Length(weights.count))
        }
        return total
    }

    func logarithm(of powers: inout [Float], floor: Float, decibels: Bool) {
        powers.withUnsafeMutableBufferPointer { powers in
            guard let start = powers.baseAddress else { return }
            var (lowest, ten, count) = (floor, Float(10), Int32(powers.count))
            vDSP_vthr(start, 1, &lowest, start, 1, vDSP_Length(powers.count))
            if decibels {
                vvlog10f(start, start, &count)
                vDSP_vsmul(start, 1, &ten, start, 1, vDSP_Length(powers.count))
            } else {
                vvlogf(start, start, &count)
            }
        }
    }
}
#endif
