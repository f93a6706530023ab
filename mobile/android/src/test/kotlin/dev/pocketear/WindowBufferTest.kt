package dev.pocketear

import org.json.JSONObject
import org.junit.Assert.assertEquals
import org.junit.Test

class WindowBufferTest {
    private data class Seen(val start: Long, val first: Float, val last: Float, val zeros: Int)

    @Test
    fun vectors() {
        for (case in Vectors.cases("windows.json")) {
            val expected = case.getJSONArray("windows").objects().map {
                Seen(it.getLong("start"), it.getDouble("first").toFloat(), it.getDouble("last").toFloat(), it.getInt("zeros"))
            }
            assertEquals(case.getString("name"), expected, seen(case))
        }
    }

    private fun seen(case: JSONObject): List<Seen> {
        val buffer = WindowBuffer(case.getInt("window_length"), case.getInt("hop_length"))
        val seen = mutableListOf<Seen>()
        val see = { window: FloatArray ->
            val zeros = window.reversed().takeWhile { it == 0f }.size
            seen += Seen(buffer.start, window.first(), window.last(), zeros)
        }
        var position = 0
        val blocks = case.getJSONArray("blocks")
        for (block in List(blocks.length()) { blocks.getInt(it) }) {
            if (block < 0) buffer.skip(-block.toLong())
            else buffer.push(FloatArray(block) { position + it + 1f }, block, see)
            position += kotlin.math.abs(block)
        }
        buffer.finish()?.let(see)
        return seen
    }
}
