package dev.pocketear

import kotlin.math.PI
import kotlin.math.abs
import kotlin.math.log10
import kotlin.math.sin
import kotlin.math.sqrt
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

/** Against what resampling is: the same sine at another rate, and nothing above the new Nyquist. */
class ResamplerTest {
    private fun sine(hertz: Double, rate: Int, size: Int) =
        FloatArray(size) { sin(2 * PI * hertz * it / rate).toFloat() }

    private fun resample(from: Int, to: Int, samples: FloatArray, block: Int = 1024): FloatArray {
        val resampler = Resampler(from, to, block)
        val out = mutableListOf<Float>()
        for (start in samples.indices step block) {
            val piece = samples.copyOfRange(start, minOf(start + block, samples.size))
            val made = resampler.push(piece, piece.size)
            out += resampler.output.take(made)
        }
        return out.toFloatArray()
    }

    /** dB of what is left after taking `expected` away, over the steady part. */
    private fun errorDb(found: FloatArray, expected: FloatArray): Double {
        val steady = 400 until found.size - 400
        val error = steady.map { (found[it] - expected[it]).toDouble() }
        return 20 * log10(sqrt(error.sumOf { it * it } / error.size) + 1e-12)
    }

    @Test
    fun aSineStaysThatSine() {
        for (from in listOf(44_100, 48_000, 8_000, 11_025, 22_050, 32_000, 96_000)) {
            for (share in listOf(0.01, 0.3, 0.7, 0.94)) {
                val hertz = share * minOf(from, 16_000) / 2
                val found = resample(from, 16_000, sine(hertz, from, from))
                assertEquals(16_000.0, found.size.toDouble(), 200.0)
                val error = errorDb(found, sine(hertz, 16_000, found.size))
                assertTrue("$hertz Hz from $from Hz: error $error dB", error < -60)
            }
        }
    }

    @Test
    fun whatWouldFoldBackIsGone() {
        for (from in listOf(44_100, 48_000)) {
            for (hertz in listOf(8_500.0, 10_000.0, 15_000.0, 20_000.0)) {
                val found = resample(from, 16_000, sine(hertz, from, from))
                val error = errorDb(found, FloatArray(found.size))
                assertTrue("$hertz Hz from $from Hz leaves $error dB", error < -65)
            }
        }
    }

    @Test
    fun blocksDoNotMatter() {
        val noise = java.util.Random(1).let { random -> FloatArray(20_000) { random.nextFloat() - 0.5f } }
        val expected = resample(44_100, 16_000, noise, 20_000)
        for (block in listOf(1, 7, 441, 882, 1024)) {
            assertEquals(expected.toList(), resample(44_100, 16_000, noise, block).toList())
        }
    }

    @Test
    fun aConstantStaysThatConstant() {
        val found = resample(48_000, 16_000, FloatArray(9_000) { 0.5f })
        assertTrue(found.drop(100).all { abs(it - 0.5f) < 1e-6 })
    }

    @Test
    fun afterResetThePastIsForgotten() {
        val resampler = Resampler(48_000, 16_000, 480)
        resampler.push(FloatArray(480) { 1f }, 480)
        resampler.reset()
        resampler.push(FloatArray(480), 480)
        assertTrue(resampler.output.take(100).all { it == 0f })
    }

    @Test
    fun tooLongABlockIsRefused() {
        assertThrows(IllegalArgumentException::class.java) { Resampler(48_000, 16_000, 10).push(FloatArray(11), 11) }
    }
}
