package dev.pocketear

import kotlin.math.PI
import kotlin.math.ceil
import kotlin.math.cos
import kotlin.math.floor
import kotlin.math.log10
import kotlin.math.max
import kotlin.math.min
import kotlin.math.round
import kotlin.math.sin

/**
 * Up to which frequency a recording holds sound, from its first seconds that are not quiet.
 *
 * After those it does nothing, so it costs a few FFTs a recording. One thread at a time pushes; any may
 * read [hertz].
 */
internal class BandwidthMeter(private val sampleRate: Int, millis: Long, private val quietPeak: Float) {
    private val block = FloatArray(Spectrum.SIZE)
    private val spectrum = Spectrum()
    private var count = 0
    private var left = ceil(millis * sampleRate / 1_000.0 / Spectrum.SIZE).toInt() // blocks

    /** In Hz, half of the sample rate where the sound does not end before; null until it is known. */
    @Volatile
    var hertz: Double? = null
        private set

    /** Takes the first [size] of [samples], full scale 1. */
    fun push(samples: FloatArray, size: Int) {
        var taken = 0
        while (left > 0 && taken < size) {
            val more = min(size - taken, block.size - count)
            samples.copyInto(block, count, taken, taken + more)
            count += more
            taken += more
            if (count == block.size) {
                count = 0
                take()
            }
        }
    }

    /** Samples are missing here. */
    fun skip() {
        count = 0
    }

    private fun take() {
        if (block.all { it in -quietPeak..quietPeak }) return
        spectrum.add(block)
        left -= 1
        if (left == 0) hertz = cutoff(spectrum.power(), sampleRate)
    }
}

/** The mean power spectrum of blocks of samples (Hann, no overlap), as bandwidth.py's. */
internal class Spectrum {
    private val window = DoubleArray(SIZE) { 0.5 - 0.5 * cos(2 * PI * it / SIZE) }
    private val cosines = DoubleArray(SIZE / 2) { cos(2 * PI * it / SIZE) }
    private val sines = DoubleArray(SIZE / 2) { sin(2 * PI * it / SIZE) }
    private val real = DoubleArray(SIZE)
    private val imaginary = DoubleArray(SIZE)
    private val sum = DoubleArray(SIZE / 2 + 1)
    private var blocks = 0

    fun add(block: FloatArray) {
        for (i in block.indices) {
            val to = Integer.reverse(i) ushr (Integer.SIZE - BITS)
            real[to] = block[i] * window[i]
            imaginary[to] = 0.0
        }
        transform()
        for (bin in sum.indices) sum[bin] += real[bin] * real[bin] + imaginary[bin] * imaginary[bin]
        blocks += 1
    }

    /** A sine of full scale = 1/4. */
    fun power(): DoubleArray {
        val scale = 1 / (blocks * window.sum() * window.sum())
        return DoubleArray(sum.size) { sum[it] * scale }
    }

    /** Cooley and Tukey's FFT, radix 2, of samples whose order has been reversed. */
    private fun transform() {
        var span = 1
        while (span < SIZE) {
            for (start in 0 until SIZE step 2 * span) {
                for (i in 0 until span) butterfly(start + i, start + i + span, i * (SIZE / 2 / span))
            }
            span *= 2
        }
    }

    private fun butterfly(low: Int, high: Int, turn: Int) {
        val re = real[high] * cosines[turn] + imaginary[high] * sines[turn]
        val im = imaginary[high] * cosines[turn] - real[high] * sines[turn]
        real[high] = real[low] - re
        imaginary[high] = imaginary[low] - im
        real[low] += re
        imaginary[low] += im
    }

    companion object {
        private const val BITS = 11
        const val SIZE = 1 shl BITS
    }
}

/**
 * The frequency of the steepest edge behind which nothing comes back, in Hz; half of [sampleRate] where
 * there is none. The search is bandwidth.py's, step by step; [power] is a [Spectrum]'s.
 */
internal fun cutoff(power: DoubleArray, sampleRate: Int): Double {
    val nyquist = sampleRate / 2.0
    val binWidth = nyquist / (power.size - 1)
    val bins = max(1, round(BAND / binWidth).toInt())
    val width = bins * binWidth
    val level = levels(power, bins)
    val loudestFrom = DoubleArray(level.size + 1) { Double.POSITIVE_INFINITY }
    for (i in level.indices.reversed()) {
        loudestFrom[i] = if (i == level.lastIndex) level[i] else max(level[i], loudestFrom[i + 1])
    }
    var steepest = Edge(Double.NEGATIVE_INFINITY, 0.0, 0)
    for (edge in 1..level.size) { // an edge behind so many bands
        if (edge * width < LOWEST) continue
        val first = floor(edge * BELOW).toInt()
        val behind = min(ceil(edge * ABOVE).toInt(), level.size)
        val filled = (first until edge).sumOf { level[it] } / (edge - first)
        val drop = filled - loudestFrom[behind]
        if (drop > steepest.drop) steepest = Edge(drop, filled, behind)
    }
    if (steepest.drop < EDGE_DB) return nyquist
    val last = (0 until steepest.behind).last { level[it] >= steepest.filled - EDGE_DB / 2 }
    val found = (last + 1) * width
    return if (found < OWN_FILTER * nyquist) found else nyquist
}

/** The median of the bins in each band, in dB. */
private fun levels(power: DoubleArray, bins: Int): DoubleArray =
    DoubleArray((power.size - 1) / bins) { band ->
        val sorted = power.copyOfRange(1 + band * bins, 1 + (band + 1) * bins).apply { sort() }
        val median = (sorted[(bins - 1) / 2] + sorted[bins / 2]) / 2
        10 * log10(max(median, LEAST_POWER))
    }

private class Edge(val drop: Double, val filled: Double, val behind: Int)

// bandwidth.py says why
private const val BAND = 100.0 // Hz
private const val LOWEST = 1_000.0 // Hz
private const val BELOW = 0.80
private const val ABOVE = 1.15
private const val EDGE_DB = 15.0
private const val OWN_FILTER = 0.8
private const val LEAST_POWER = 1e-14
