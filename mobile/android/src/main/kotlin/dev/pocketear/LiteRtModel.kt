package dev.pocketear

import java.nio.ByteBuffer
import java.nio.FloatBuffer
import org.tensorflow.lite.InterpreterApi

/**
 * A .tflite, run by LiteRT on one thread. One thread at a time.
 *
 * It takes one chunk and a state, or, as of earlier versions, a whole window.
 */
internal class LiteRtModel(tflite: ByteBuffer, card: ModelCard) : LoadedModel {
    private val interpreter = InterpreterApi.create(tflite, InterpreterApi.Options().setNumThreads(1))
    private val form = try {
        formOf(inputSizes(), outputSizes(), card)
    } catch (error: IllegalArgumentException) {
        interpreter.close()
        throw error
    }
    private val inputs = arrayOfNulls<Any>(interpreter.inputTensorCount)
    private val outputs = HashMap<Int, Any>()
    private val runner = ChunkRunner(form.chunkLength, form.stateSize, card.labels.size, ::step)

    override fun run(window: FloatArray, carried: Boolean, scores: FloatArray) =
        runner.run(window, carried, scores)

    override fun close() = interpreter.close()

    private fun step(chunk: FloatBuffer, state: FloatBuffer, scores: FloatBuffer, nextState: FloatBuffer) {
        inputs[0] = chunk
        outputs[0] = scores
        if (form.stateSize > 0) {
            inputs[1] = state
            outputs[1] = nextState
        }
        interpreter.runForMultipleInputsOutputs(inputs, outputs)
    }

    private fun inputSizes() =
        List(interpreter.inputTensorCount) { interpreter.getInputTensor(it).numElements() }

    private fun outputSizes() =
        List(interpreter.outputTensorCount) { interpreter.getOutputTensor(it).numElements() }
}

/** What a .tflite takes at a time: a chunk with a state, or a window with a state of no size. */
internal data class ModelForm(val chunkLength: Int, val stateSize: Int)

/**
 * The form of a model by how many elements its tensors have.
 *
 * @throws IllegalArgumentException if it is not of the two that run, or does not fit its card
 */
internal fun formOf(inputs: List<Int>, outputs: List<Int>, card: ModelCard): ModelForm {
    val labels = card.labels.size
    val earlier = card.windowLength / card.hopLength - 1 // chunks of a window before the newest
    val state = inputs.getOrElse(1) { 0 }
    val chunked = earlier > 0 && card.windowLength % card.hopLength == 0 && state > 0 && state % earlier == 0
    return when {
        inputs == listOf(card.windowLength) && outputs == listOf(labels) -> ModelForm(card.windowLength, 0)
        chunked && inputs == listOf(card.hopLength, state) && outputs == listOf(labels, state) ->
            ModelForm(card.hopLength, state)
        else -> throw IllegalArgumentException(
            "the model takes $inputs and gives $outputs numbers; its card says windows of " +
                "${card.windowLength} and chunks of ${card.hopLength} samples, and $labels labels; export it again",
        )
    }
}
