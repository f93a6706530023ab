package dev.pocketear

import org.json.JSONObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

class EventDecoderTest {
    @Test
    fun vectorsToTheLastBit() {
        val cases = Vectors.cases("decoder.json")
        assertTrue(cases.size > 50)
        for (case in cases) {
            val expected = case.getJSONArray("events").objects().map { it.getInt("after") to event(it) }
            assertEquals(case.getString("name"), expected, reported(case))
        }
    }

    private fun reported(case: JSONObject): List<Pair<Int, SoundEvent>> {
        var after = 0
        val reported = mutableListOf<Pair<Int, SoundEvent>>()
        val decoder = EventDecoder(cardOf(case)) { event -> reported += after to event }
        for (step in case.getJSONArray("steps").objects()) {
            if (step.has("gap")) decoder.gap(step.getLong("gap"))
            else decoder.push(step.getJSONArray("scores").floats())
            after += 1
        }
        decoder.finish()
        assertEquals(case.getString("name"), case.getInt("ignored"), decoder.ignored)
        return reported
    }

    private fun event(json: JSONObject) = SoundEvent(
        json.getString("label"),
        json.getDouble("start_s"),
        json.getDouble("end_s"),
        json.getDouble("peak").toFloat(),
        json.getBoolean("ended"),
    )

    @Test
    fun infinityIsNotANumber() {
        val decoder = EventDecoder(plainCard()) { throw AssertionError(it) }
        decoder.push(floatArrayOf(0f, Float.POSITIVE_INFINITY))
        assertEquals(1, decoder.ignored)
    }

    @Test
    fun otherLabelsAreRefused() {
        val decoder = EventDecoder(plainCard()) {}
        val error = assertThrows(IllegalArgumentException::class.java) { decoder.push(FloatArray(3)) }
        assertTrue(error.message!!, "3 scores for 2 labels" in error.message!!)
    }
}
