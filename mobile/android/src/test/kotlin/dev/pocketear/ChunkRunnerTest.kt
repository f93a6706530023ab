package dev.pocketear

import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

/**
 * A model of [chunks] a window: its state are the sums of the chunks before, its second score the sum
 * of all.
 */
internal fun sums(hop: Int, chunks: Int, ran: () -> Unit = {}) =
    ChunkRunner(hop, chunks - 1, 2) { chunk, state, scores, nextState ->
        ran()
        var newest = 0f
        while (chunk.hasRemaining()) newest += chunk.get()
        var total = 0f
        val sums = List(state.remaining()) { state.get() } + newest
        for (sum in sums) total += sum
        scores.put(0f).put(total)
        for (sum in sums.drop(1)) nextState.put(sum)
    }

class ChunkRunnerTest {
    private val window = FloatArray(12) { (it + 1).toFloat() } // chunks of sums 10, 26 and 42
    private val scores = FloatArray(2)

    private fun ChunkRunner.total(window: FloatArray, carried: Boolean): Float {
        run(window, carried, scores)
        return scores[1]
    }

    @Test
    fun aWindowIsRunFromZerosAndTheNextByItsNewestChunk() {
        var steps = 0
        val runner = sums(4, 3) { steps += 1 }
        assertEquals(78f, runner.total(window, carried = false))
        assertEquals(3, steps)
        // Of a window that is carried the older chunks are not looked at.
        assertEquals(26f + 42f + 4f, runner.total(FloatArray(12) { 1f }, carried = true))
        assertEquals(4, steps)
        assertEquals(78f, runner.total(window, carried = false))
        assertEquals(7, steps)
    }

    @Test
    fun whatIsNotANumberIsForgottenWithTheState() {
        val runner = sums(4, 3)
        assertTrue(runner.total(FloatArray(12) { Float.NaN }, carried = false).isNaN())
        assertEquals(78f, runner.total(window, carried = false))
    }

    @Test
    fun aModelWithoutAStateIsRunOnTheWholeWindow() {
        val runner = sums(12, 1)
        assertEquals(78f, runner.total(window, carried = false))
        assertEquals(78f, runner.total(window, carried = true))
    }

    @Test
    fun theSizesAreThoseOfChunksOrOfWindows() {
        val card = plainCard(window = 12, hop = 4)
        assertEquals(ModelForm(12, 0), formOf(listOf(12), listOf(2), card))
        assertEquals(ModelForm(4, 10), formOf(listOf(4, 10), listOf(2, 10), card))
        assertEquals(ModelForm(4, 0), formOf(listOf(4), listOf(2), plainCard(window = 4, hop = 4)))
        assertEquals(ModelForm(10, 0), formOf(listOf(10), listOf(2), plainCard(window = 10, hop = 4)))
    }

    @Test
    fun otherModelsAreRefused() {
        val card = plainCard(window = 12, hop = 4)
        for ((inputs, outputs) in listOf(
            listOf(8) to listOf(2), listOf(12) to listOf(3), listOf(4) to listOf(2), listOf(12) to listOf(2, 10),
            listOf(4, 10) to listOf(2), listOf(4, 10) to listOf(3, 10), listOf(4, 10) to listOf(2, 12),
            listOf(4, 9) to listOf(2, 9), listOf(4, 0) to listOf(2, 0), listOf(12, 10) to listOf(2, 10),
            listOf(4, 10, 1) to listOf(2, 10), emptyList<Int>() to listOf(2),
        )) {
            val error = assertThrows("$inputs $outputs", IllegalArgumentException::class.java) {
                formOf(inputs, outputs, card)
            }
            assertTrue(error.message!!, "takes $inputs and gives $outputs" in error.message!!)
        }
        for (other in listOf(plainCard(window = 4, hop = 4), plainCard(window = 10, hop = 4))) {
            assertThrows(IllegalArgumentException::class.java) { formOf(listOf(4, 10), listOf(2, 10), other) }
        }
    }
}
