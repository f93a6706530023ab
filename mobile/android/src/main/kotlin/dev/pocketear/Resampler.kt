package dev.pocketear

import kotlin.math.PI
import kotlin.math.abs
import kotlin.math.ceil
import kotlin.math.sin
import kotlin.math.sqrt

/**
 * A stream at one sample rate to a stream at another, for devices that refuse the model's.
 *
 * Band-limited interpolation by a Kaiser-windowed sinc (J. O. Smith, "Digital Audio Resampling"):
 * 44 zero crossings a side keep the pass band flat to 95 % of the lower Nyquist frequency, and what
 * would fold back below that 70 dB down. Output sample n is at the time of input sample n * from / to.
 */
internal class Resampler(from: Int, to: Int, private val maxBlock: Int) {
    private val up = to / gcd(from, to)
    private val down = from / gcd(from, to)
    private val half = ahead(from, to)
    private val cutoff = minOf(1.0, to.toDouble() / from) // of the input's Nyquist frequency
    private val phases = Array(up) { phase -> kernel(phase.toDouble() / up) }
    private val held = FloatArray(2 * half + maxBlock + down / up + 1)
    private var count = 0
    private var phase = 0

    /** What [push] made last; its first samples, as many as [push] returned, are valid. */
    val output: FloatArray = FloatArray(((maxBlock + 1L) * up / down + 2).toInt())

    init {
        reset()
    }

    /** Takes [size] samples, at most the maxBlock given; returns how many [output] now holds. */
    fun push(samples: FloatArray, size: Int): Int {
        require(size <= maxBlock) { "resampler: a block of $size samples, want at most $maxBlock" }
        samples.copyInto(held, count, 0, size)
        count += size
        var made = 0
        var at = 0
        while (at + 2 * half <= count) {
            output[made++] = dot(phases[phase], at)
            phase += down
            at += phase / up
            phase %= up
        }
        held.copyInto(held, 0, at, count)
        count -= at
        return made
    }

    /** Forgets the past, as after a gap: the next sample is at time 0. */
    fun reset() {
        held.fill(0f)
        count = half - 1
        phase = 0
    }

    private fun dot(kernel: FloatArray, at: Int): Float {
        var sum = 0f
        for (tap in kernel.indices) sum += kernel[tap] * held[at + tap]
        return sum
    }

    /** Weights of the 2 * half input samples around an output sample [fraction] after one of them. */
    private fun kernel(fraction: Double): FloatArray {
        val weights = DoubleArray(2 * half) { tap ->
            val time = tap - (half - 1) - fraction
            sinc(cutoff * time) * kaiser(time / half)
        }
        val sum = weights.sum() // 1 / cutoff, but for rounding: a constant stays that constant
        return FloatArray(weights.size) { (weights[it] / sum).toFloat() }
    }

    companion object {
        private const val ZERO_CROSSINGS = 44
        private const val BETA = 6.76 // 70 dB

        /** How many input samples after the time of an output sample it is made of. */
        fun ahead(from: Int, to: Int): Int =
            if (from == to) 0 else ceil(ZERO_CROSSINGS * maxOf(1.0, from.toDouble() / to)).toInt()

        private fun gcd(a: Int, b: Int): Int = if (b == 0) a else gcd(b, a % b)

        private fun sinc(x: Double): Double = if (x == 0.0) 1.0 else sin(PI * x) / (PI * x)

        private fun kaiser(x: Double): Double =
            if (abs(x) >= 1) 0.0 else bessel(BETA * sqrt(1 - x * x)) / bessel(BETA)

        /** The modified Bessel function of the first kind, order 0, by its series. */
        private fun bessel(x: Double): Double {
            var term = 1.0
            var sum = 1.0
            var k = 1
            while (term > sum * 1e-17) {
                term *= (x / (2 * k)) * (x / (2 * k))
                sum += term
                k += 1
            }
            return sum
        }
    }
}
