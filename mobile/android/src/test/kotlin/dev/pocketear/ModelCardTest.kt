package dev.pocketear

import java.nio.ByteBuffer
import org.json.JSONObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

class ModelCardTest {
    private val file = Vectors.bytes("card.tflite")

    private fun refusal(bytes: ByteArray): String =
        assertThrows(IllegalArgumentException::class.java) { ModelCard.read(ByteBuffer.wrap(bytes)) }.message!!

    @Test
    fun theCardThatPythonWrote() {
        val card = ModelCard.read(ByteBuffer.wrap(file))
        assertEquals(listOf("background", "crying_baby", "laughing"), card.labels)
        assertEquals(mapOf("crying_baby" to 0.6f, "laughing" to 0.7f), card.thresholds)
        assertEquals(listOf(16_000, 8, 4), listOf(card.sampleRate, card.windowLength, card.hopLength))
        assertEquals("tiny 1.2.3", "${card.name} ${card.version}")
        assertEquals(3_200.0, card.bandwidth, 0.0)
    }

    @Test
    fun aDirectBufferToo() {
        val direct = ByteBuffer.allocateDirect(file.size).put(file)
        direct.rewind()
        assertEquals("tiny", ModelCard.read(direct).name)
        assertEquals(0, direct.position())
    }

    @Test
    fun noCard() {
        assertTrue("not a model of pocketear" in refusal(ByteArray(1000)))
        assertTrue("not a model of pocketear" in refusal(ByteArray(0)))
    }

    @Test
    fun cutOffAnywhereIsRefused() {
        for (size in file.indices) refusal(file.copyOf(size))
    }

    @Test
    fun anyDamageIsReadOrRefusedAndNothingElse() {
        val random = java.util.Random(5)
        repeat(5_000) {
            val damaged = file.copyOf()
            repeat(1 + random.nextInt(3)) { damaged[random.nextInt(damaged.size)] = random.nextInt().toByte() }
            try {
                ModelCard.read(ByteBuffer.wrap(damaged))
            } catch (_: IllegalArgumentException) {
                // refused
            }
        }
    }

    @Test
    fun whatTheReferenceRefusesIsRefused() {
        for (case in Vectors.cases("cards.json")) {
            val refused = try {
                ModelCard.parse(case.getJSONObject("card").toString())
                false
            } catch (_: IllegalArgumentException) {
                true
            }
            assertEquals(case.getString("name"), case.getBoolean("refused"), refused)
        }
    }

    @Test
    fun theQuietPeakIs0WhereACardHasNone() {
        val peaks = Vectors.cases("cards.json").associate { it.getString("name") to it.getJSONObject("card").toString() }
        assertEquals(0.01, ModelCard.parse(peaks.getValue("a quiet peak")).quietPeak, 0.0)
        assertEquals(0.0, ModelCard.parse(peaks.getValue("as it should be")).quietPeak, 0.0)
    }

    @Test
    fun labelsThatDoNotMatchAreRefused() {
        val case = JSONObject(Vectors.cases("decoder.json").first().toString())
        case.getJSONArray("labels").put("dog")
        val error = assertThrows(IllegalArgumentException::class.java) { cardOf(case) }
        assertTrue(error.message!!, "labels and thresholds differ" in error.message!!)
    }
}
