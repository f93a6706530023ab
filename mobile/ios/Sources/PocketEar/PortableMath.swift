import Foundation

/// In plain Swift, on any system. One thread at a time.
final class PortableMath: FrontEndMath {
    private let half: Int
    private let cosines: [Float]  // of k / size turns
    private let sines: [Float]
    private let dealt: [Int]  // where sample pair i goes: its bits reversed
    private var real: [Float]
    private var imaginary: [Float]

    /// `size`: of a frame, a power of two.
    init(size: Int) {
        let half = size / 2
        let turns = (0..<half).map { 2 * Double.pi * Double($0) / Double(size) }
        self.half = half
        cosines = turns.map { Float(cos($0)) }
        sines = turns.map { Float(sin($0)) }
        let unused = Int.bitWidth - half.trailingZeroBitCount
        dealt = (0..<half).map { index in
            Int(bitPattern: Self.reversed(UInt(bitPattern: index)) >> UInt(unused))
        }
        real = Array(repeating: 0, count: half)
        imaginary = Array(repeating: 0, count: half)
    }

    private static func reversed(_ word: UInt) -> UInt {
        var (left, result) = (word, UInt(0))
        for _ in 0..<UInt.bitWidth {
            result = result << 1 | left & 1
            left >>= 1
        }
        return result
    }

    func multiply(_ values: inout [Float], by factors: [Float]) {
        for index in values.indices { values[index] *= factors[index] }
    }

    /// Even samples are the real part of a frame half as long, odd ones the imaginary part; its
    /// complex FFT (Cooley and Tukey, radix 2) then comes apart into that of the real frame.
    func power(of frame: [Float], into power: inout [Float]) {
        for index in 0..<half {
            real[dealt[index]] = frame[2 * index]
            imaginary[dealt[index]] = frame[2 * index + 1]
        }
        var span = 1
        while span < half {
            for start in stride(from: 0, to: half, by: 2 * span) {
                butterflies(start, span)
            }
            span *= 2
        }
        power[0] = square(real[0] + imaginary[0])
        power[half] = square(real[0] - imaginary[0])
        for bin in 1...half / 2 {
            let other = half - bin
            let even = (0.5 * (real[bin] + real[other]), 0.5 * (imaginary[bin] - imaginary[other]))
            let odd = (0.5 * (imaginary[bin] + imaginary[other]), 0.5 * (real[other] - real[bin]))
            let turned = turn(odd, cosines[bin], sines[bin])
            power[bin] = square(even.0 + turned.0) + square(even.1 + turned.1)
            power[other] = square(even.0 - turned.0) + square(even.1 - turned.1)
        }
    }

    private func butterflies(_ start: Int, _ span: Int) {
        let step = half / span
        for offset in 0..<span {
            let (low, high) = (start + offset, start + offset + span)
            let turned = turn((real[high], imaginary[high]), cosines[offset * step], sines[offset * step])
            (real[high], imaginary[high]) = (real[low] - turned.0, imaginary[low] - turned.1)
            (real[low], imaginary[low]) = (real[low] + turned.0, imaginary[low] + turned.1)
        }
    }

    private func turn(_ value: (Float, Float), _ cosine: Float, _ sine: Float) -> (Float, Float) {
        (value.0 * cosine + value.1 * sine, value.1 * cosine - value.0 * sine)
    }

    private func square(_ value: Float) -> Float { value * value }

    func dot(_ weights: [Float], _ values: [Float], from: Int) -> Float {
        var total: Float = 0
        for index in weights.indices { total += weights[index] * values[from + index] }
        return total
    }

    func logarithm(of powers: inout [Float], floor: Float, decibels: Bool) {
        for index in powers.indices {
            let power = max(powers[index], floor)
            powers[index] = decibels ? 10 * log10(power) : log(power)
        }
    }
}
