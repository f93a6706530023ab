package dev.pocketear

import java.nio.ByteBuffer
import java.nio.ByteOrder
import org.json.JSONException
import org.json.JSONObject

/** What pocketear.json inside a .tflite says. Lengths in samples, rate in Hz. */
public class ModelCard internal constructor(
    public val name: String,
    public val version: String,
    public val labels: List<String>,
    public val sampleRate: Int,
    public val windowLength: Int,
    public val hopLength: Int,
    internal val smoothing: Int,
    internal val hysteresis: Float,
    internal val minSeconds: Double,
    internal val refractorySeconds: Double,
    /** A window with no sample beyond it is not put to the model; full scale is 1. */
    public val quietPeak: Double,
    /** The score from which a label sounds; a label without one is background, and never does. */
    public val thresholds: Map<String, Float>,
    /** In Hz: sound that ends below it is narrower than what the model was trained on; 0 if unknown. */
    public val bandwidth: Double = 0.0,
) {
    init {
        require(labels.isNotEmpty() && labels.toSet().size == labels.size) {
            "model card: labels must be at least one, each once: $labels"
        }
        require(sampleRate >= 1 && smoothing >= 1 && hopLength in 1..windowLength) {
            "model card: wrong lengths: rate $sampleRate, window $windowLength, hop $hopLength"
        }
        require(minSeconds >= 0 && refractorySeconds >= 0) {
            "model card: wrong times: $minSeconds s, $refractorySeconds s"
        }
        require(quietPeak >= 0 && quietPeak < 1) {
            "model card: quiet_peak must be at least 0 and below 1: $quietPeak"
        }
        require(hysteresis >= 0 && thresholds.values.all { hysteresis < it }) {
            "model card: hysteresis $hysteresis must be below every threshold, else an event never ends"
        }
        require(labels.containsAll(thresholds.keys)) {
            "model card: thresholds of labels that it does not have: ${thresholds.keys - labels.toSet()}"
        }
    }

    /** The hop in samples at [rate], rounded up. */
    internal fun hopAt(rate: Int): Int = ((hopLength.toLong() * rate + sampleRate - 1) / sampleRate).toInt()

    public companion object {
        private const val CARD = "pocketear.json"

        /**
         * Reads the card inside a .tflite.
         *
         * @throws IllegalArgumentException if there is none, or it is damaged
         */
        @JvmStatic
        public fun read(tflite: ByteBuffer): ModelCard =
            parse(String(StoredZip(tflite).entry(CARD), Charsets.UTF_8))

        internal fun parse(text: String): ModelCard =
            try {
                from(JSONObject(text))
            } catch (error: JSONException) {
                throw IllegalArgumentException("$CARD inside the model: ${error.message}", error)
            }

        private fun from(card: JSONObject): ModelCard {
            val listener = card.getJSONObject("listener")
            val thresholds = listener.getJSONObject("thresholds")
            val labels = strings(card, "labels")
            val sounding = labels - strings(listener, "background").toSet()
            require(sounding.toSet() == thresholds.keys().asSequence().toSet()) {
                "$CARD inside the model: labels and thresholds differ; export the model again"
            }
            return ModelCard(
                name = card.getString("name"),
                version = card.getString("version"),
                labels = labels,
                sampleRate = card.getInt("sample_rate"),
                windowLength = card.getInt("window_length"),
                hopLength = listener.getInt("hop_length"),
                smoothing = listener.getInt("smoothing"),
                hysteresis = listener.getDouble("hysteresis").toFloat(),
                minSeconds = listener.getDouble("min_seconds"),
                refractorySeconds = listener.getDouble("refractory_seconds"),
                // a card of an earlier version has none
                quietPeak = if (listener.has("quiet_peak")) listener.getDouble("quiet_peak") else 0.0,
                thresholds = sounding.associateWith { thresholds.getDouble(it).toFloat() },
                bandwidth = if (card.has("bandwidth")) card.getDouble("bandwidth") else 0.0,
            )
        }

        private fun strings(from: JSONObject, name: String): List<String> {
            val array = from.getJSONArray(name)
            return List(array.length()) { array.getString(it) }
        }
    }
}

/**
 * The stored zip at the end of a .tflite.
 *
 * java.util.zip wants a file or a stream that begins with the zip; an asset is neither.
 */
internal class StoredZip(source: ByteBuffer) {
    private val bytes = source.duplicate().order(ByteOrder.LITTLE_ENDIAN)

    /** The content of an entry; throws IllegalArgumentException if it is absent or damaged. */
    fun entry(name: String): ByteArray =
        try {
            find(name)
        } catch (error: IndexOutOfBoundsException) {
            throw IllegalArgumentException("the model file is cut off: no $name inside", error)
        }

    private fun find(name: String): ByteArray {
        val end = (bytes.limit() - END_SIZE downTo 0).firstOrNull { bytes.getInt(it) == END }
            ?: throw IllegalArgumentException("not a model of pocketear: no $name inside")
        var at = bytes.getInt(end + END_DIRECTORY)
        repeat(bytes.getShort(end + END_COUNT).toInt()) {
            require(bytes.getInt(at) == DIRECTORY) { "the model file is damaged: no $name inside" }
            val length = short(at + DIRECTORY_NAME_LENGTH)
            if (String(slice(at + DIRECTORY_SIZE, length), Charsets.UTF_8) == name) {
                return content(bytes.getInt(at + DIRECTORY_OFFSET), bytes.getInt(at + DIRECTORY_BYTES))
            }
            at += DIRECTORY_SIZE + length + short(at + DIRECTORY_EXTRA) + short(at + DIRECTORY_COMMENT)
        }
        throw IllegalArgumentException("not a model of pocketear: no $name inside")
    }

    private fun content(at: Int, size: Int): ByteArray {
        require(size in 0..MAX_BYTES && short(at + LOCAL_METHOD) == 0) {
            "the model file is damaged: its card is not stored plainly"
        }
        return slice(at + LOCAL_SIZE + short(at + LOCAL_NAME_LENGTH) + short(at + LOCAL_EXTRA), size)
    }

    private fun short(at: Int): Int = bytes.getShort(at).toInt() and 0xFFFF

    private fun slice(at: Int, size: Int): ByteArray {
        if (at < 0 || at.toLong() + size > bytes.limit()) throw IndexOutOfBoundsException()
        return ByteArray(size) { bytes.get(at + it) }
    }

    /** PKWARE's APPNOTE.TXT, sections 4.3.7, 4.3.12 and 4.3.16. */
    private companion object {
        const val MAX_BYTES = 1 shl 20
        const val END = 0x06054b50
        const val END_SIZE = 22
        const val END_COUNT = 10
        const val END_DIRECTORY = 16
        const val DIRECTORY = 0x02014b50
        const val DIRECTORY_SIZE = 46
        const val DIRECTORY_BYTES = 24
        const val DIRECTORY_NAME_LENGTH = 28
        const val DIRECTORY_EXTRA = 30
        const val DIRECTORY_COMMENT = 32
        const val DIRECTORY_OFFSET = 42
        const val LOCAL_SIZE = 30
        const val LOCAL_METHOD = 8
        const val LOCAL_NAME_LENGTH = 26
        const val LOCAL_EXTRA = 28
    }
}
