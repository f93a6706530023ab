package dev.pocketear

import java.io.File
import org.json.JSONArray
import org.json.JSONObject

/** mobile/vectors: what the listeners in Python, Kotlin and Swift must all do. */
object Vectors {
    private val folder = File(System.getProperty("pocketear.vectors") ?: "../vectors")

    fun cases(name: String): List<JSONObject> = JSONArray(File(folder, name).readText()).objects()

    fun bytes(name: String): ByteArray = File(folder, name).readBytes()
}

fun JSONArray.objects(): List<JSONObject> = List(length()) { getJSONObject(it) }

/** Scores of a step; null in the file is not a number. */
fun JSONArray.floats(): FloatArray =
    FloatArray(length()) { if (isNull(it)) Float.NaN else getDouble(it).toFloat() }

/** The card that a case's settings describe. */
fun cardOf(case: JSONObject): ModelCard {
    val card = JSONObject(case.toString()).put("version", "0.0.0")
    return ModelCard.parse(card.toString())
}

/** A card with one label that sounds. */
fun plainCard(
    window: Int = 8,
    hop: Int = 4,
    rate: Int = 4,
    threshold: Float = 0.5f,
    quietPeak: Double = 0.0,
    bandwidth: Double = 0.0,
) = ModelCard(
    name = "plain",
    version = "0.0.0",
    labels = listOf("other", "bark"),
    sampleRate = rate,
    windowLength = window,
    hopLength = hop,
    smoothing = 1,
    hysteresis = 0.1f,
    minSeconds = 0.0,
    refractorySeconds = 0.0,
    quietPeak = quietPeak,
    thresholds = mapOf("bark" to threshold),
    bandwidth = bandwidth,
)
