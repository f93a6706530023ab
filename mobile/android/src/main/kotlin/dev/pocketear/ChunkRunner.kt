package dev.pocketear

import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.FloatBuffer

/** One chunk and the state before it to scores and the state after it. All buffers stand at 0. */
internal fun interface ChunkStep {
    fun run(chunk: FloatBuffer, state: FloatBuffer, scores: FloatBuffer, nextState: FloatBuffer)
}

/**
 * A model of one chunk at a time as a model of windows: a window is run chunk by chunk from a state
 * of zeros. Where the state is carried, only the newest chunk is run.
 *
 * A chunk as long as the window, with a state of no size, is a model without a state.
 */
internal class ChunkRunner(chunkLength: Int, stateSize: Int, labels: Int, private val step: ChunkStep) : SoundModel {
    private val chunk = floats(chunkLength)
    private val sink = floats(labels)
    private var state = floats(stateSize)
    private var nextState = floats(stateSize)

    override fun run(window: FloatArray, carried: Boolean, scores: FloatArray) {
        if (!carried) clear(state)
        var start = if (carried) window.size - chunk.capacity() else 0
        while (start < window.size) {
            runChunk(window, start)
            start += chunk.capacity()
        }
        sink.rewind()
        sink.get(scores)
    }

    private fun runChunk(window: FloatArray, start: Int) {
        chunk.rewind()
        chunk.put(window, start, chunk.capacity())
        chunk.rewind()
        state.rewind()
        sink.rewind()
        nextState.rewind()
        step.run(chunk, state, sink, nextState)
        state = nextState.also { nextState = state }
    }

    private fun clear(buffer: FloatBuffer) {
        for (i in 0 until buffer.capacity()) buffer.put(i, 0f)
    }

    /** Direct and in native order, as LiteRT takes them without a copy. */
    private fun floats(size: Int): FloatBuffer =
        ByteBuffer.allocateDirect(size * Float.SIZE_BYTES).order(ByteOrder.nativeOrder()).asFloatBuffer()
}
