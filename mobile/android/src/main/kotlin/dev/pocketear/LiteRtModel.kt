package dev.pocketear

import android.content.Context
import java.io.FileInputStream
import java.io.IOException
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.channels.FileChannel
import org.tensorflow.lite.InterpreterApi

/** The .tflite of the package, run by LiteRT on one thread. One thread at a time. */
internal class LiteRtModel(tflite: ByteBuffer, card: ModelCard) : Model, AutoCloseable {
    private val interpreter = InterpreterApi.create(tflite, InterpreterApi.Options().setNumThreads(1))
    private val source = floats(card.windowLength)
    private val sink = floats(card.labels.size)

    init {
        val found = interpreter.getInputTensor(0).numElements() to interpreter.getOutputTensor(0).numElements()
        if (found != card.windowLength to card.labels.size) {
            interpreter.close()
            throw IllegalArgumentException(
                "the model takes ${found.first} samples and has ${found.second} labels, its card says " +
                    "${card.windowLength} and ${card.labels.size}; export it again",
            )
        }
    }

    override fun run(window: FloatArray, scores: FloatArray) {
        source.rewind()
        source.asFloatBuffer().put(window)
        sink.rewind()
        interpreter.run(source, sink)
        sink.rewind()
        sink.asFloatBuffer().get(scores)
    }

    override fun close() = interpreter.close()

    companion object {
        private const val FOLDER = "pocketear"
        private const val FLOAT_BYTES = 4

        private fun floats(size: Int): ByteBuffer =
            ByteBuffer.allocateDirect(size * FLOAT_BYTES).order(ByteOrder.nativeOrder())

        /**
         * Maps the one .tflite in assets/pocketear into memory.
         *
         * @throws IOException if there is none, more than one, or it lies compressed in the app
         */
        fun map(context: Context): ByteBuffer {
            val found = context.assets.list(FOLDER).orEmpty().filter { it.endsWith(".tflite") }
            if (found.size != 1) throw IOException("assets/$FOLDER: want one .tflite, found $found")
            return context.assets.openFd("$FOLDER/${found.single()}").use { asset ->
                FileInputStream(asset.fileDescriptor).channel.use { channel ->
                    channel.map(FileChannel.MapMode.READ_ONLY, asset.startOffset, asset.declaredLength)
                }
            }
        }
    }
}
