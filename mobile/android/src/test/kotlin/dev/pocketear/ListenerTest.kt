package dev.pocketear

import org.json.JSONObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

class ListenerTest {
    @Test
    fun vectorsToTheLastBit() {
        val cases = Vectors.cases("listener.json")
        assertTrue(cases.size > 50)
        for (case in cases) {
            val expected = case.getJSONArray("events").objects().map { it.getInt("after") to event(it) }
            assertEquals(case.getString("name"), expected, told(case))
        }
    }

    private fun told(case: JSONObject): List<Pair<Int, Event>> {
        var after = 0
        val told = mutableListOf<Pair<Int, Event>>()
        val listener = Listener(cardOf(case)) { event -> told += after to event }
        for (step in case.getJSONArray("steps").objects()) {
            if (step.has("gap")) listener.gap(step.getLong("gap"))
            else listener.push(step.getJSONArray("scores").floats())
            after += 1
        }
        listener.finish()
        assertEquals(case.getString("name"), case.getInt("ignored"), listener.ignored)
        return told
    }

    private fun event(json: JSONObject) = Event(
        json.getString("label"),
        json.getDouble("start_s"),
        json.getDouble("end_s"),
        json.getDouble("peak").toFloat(),
        json.getBoolean("ended"),
    )

    @Test
    fun infinityIsNotANumber() {
        val listener = Listener(plainCard()) { throw AssertionError(it) }
        listener.push(floatArrayOf(0f, Float.POSITIVE_INFINITY))
        assertEquals(1, listener.ignored)
    }

    @Test
    fun otherLabelsAreRefused() {
        val listener = Listener(plainCard()) {}
        val error = assertThrows(IllegalArgumentException::class.java) { listener.push(FloatArray(3)) }
        assertTrue(error.message!!, "3 scores for 2 labels" in error.message!!)
    }
}
