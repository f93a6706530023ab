package dev.pocketear

import java.util.Collections
import org.json.JSONObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Test

class BandwidthTest {
    private fun case(name: String) = Vectors.cases("bandwidth.json").single { it.getString("name") == name }

    private fun JSONObject.samples(): FloatArray {
        val steps = getJSONArray("steps")
        return FloatArray(steps.length()) { steps.getInt(it) / 32_768f }
    }

    private fun meterOf(blocks: Int, quietPeak: Float = 0f) =
        BandwidthMeter(16_000, blocks * Spectrum.SIZE * 1_000L / 16_000, quietPeak)

    @Test
    fun asInPython() {
        for (case in Vectors.cases("bandwidth.json")) {
            val samples = case.samples()
            val spectrum = Spectrum()
            for (at in samples.indices step Spectrum.SIZE) {
                spectrum.add(samples.copyOfRange(at, at + Spectrum.SIZE))
            }
            val found = cutoff(spectrum.power(), case.getInt("sample_rate"))
            assertEquals(case.getString("name"), case.getDouble("bandwidth"), found, 1e-6)
        }
    }

    @Test
    fun itIsMeasuredOnceOverWhatIsNotQuiet() {
        val meter = meterOf(2, quietPeak = 0.001f)
        val (narrow, wide) = listOf(case("sampled at 8 kHz before"), case("wide"))
        repeat(10) { meter.push(FloatArray(2_048), 2_048) }
        val samples = narrow.samples()
        meter.push(samples, 3_000)
        assertNull(meter.hertz)
        meter.push(samples.copyOfRange(3_000, 4_096), 1_096)
        assertEquals(narrow.getDouble("bandwidth"), meter.hertz!!, 1e-6)
        repeat(10) { meter.push(wide.samples(), 4_096) }
        assertEquals(narrow.getDouble("bandwidth"), meter.hertz!!, 1e-6)
    }

    @Test
    fun noBlockSpansALoss() {
        val meter = meterOf(1)
        val samples = case("sampled at 8 kHz before").samples()
        meter.push(samples, 1_500)
        meter.skip()
        meter.push(samples, 1_500)
        assertNull(meter.hertz)
        meter.push(samples.copyOfRange(1_500, 2_048), 548)
        assertEquals(3_960.9, meter.hertz!!, 0.1)
    }

    /** The states of a listener whose model was trained on sounds up to 7 kHz. */
    private fun statesWith(name: String, trained: Double = 7_000.0): List<ListenerState> {
        val steps = case(name).getJSONArray("steps")
        val microphone = FakeMicrophone(
            repeated(ShortArray(steps.length()) { steps.getInt(it).toShort() }, 16_000), rates = listOf(16_000),
        )
        val states = Collections.synchronizedList(mutableListOf<ListenerState>())
        FakeDevice(plainCard(3_200, 1_600, 16_000, bandwidth = trained)) { FakeModel() }.use { device ->
            val listener = SoundListener(FakeApp(), inBackground = true, microphone, device)
            device.onMain { listener.start(states::add) {} }
            assertNull(listener.inputBandwidth)
            val end = System.nanoTime() + 10_000_000_000
            while (listener.inputBandwidth == null) {
                assertTrue("never measured; $states", System.nanoTime() < end)
                Thread.sleep(5)
            }
            assertEquals(case(name).getDouble("bandwidth"), listener.inputBandwidth!!, 300.0) // from its middle
            Thread.sleep(500) // some hops
            device.onMain { listener.close() }
            assertNull(listener.inputBandwidth)
        }
        return states.filter { it != ListenerState.Starting && it != ListenerState.Stopped }
    }

    @Test
    fun aNarrowMicrophoneIsSaidToBe() {
        val (first, second) = statesWith("sampled at 8 kHz before")
        assertEquals(ListenerState.Listening, first)
        assertEquals(3_960.9, (second as ListenerState.Narrow).bandwidth, 300.0)
    }

    @Test
    fun aWideOneIsNot() = assertEquals(listOf(ListenerState.Listening), statesWith("wide"))

    @Test
    fun norIsOneAsNarrowAsTheTraining() =
        assertEquals(listOf(ListenerState.Listening), statesWith("sampled at 8 kHz before", trained = 3_200.0))
}
