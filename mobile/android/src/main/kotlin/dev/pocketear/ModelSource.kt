package dev.pocketear

import android.content.Context
import java.io.File
import java.io.FileInputStream
import java.io.IOException
import java.nio.ByteBuffer
import java.nio.channels.FileChannel

/** Where a [SoundListener] takes its model from. */
public fun interface ModelSource {
    /** The .tflite, mapped into memory where that can be. */
    @Throws(IOException::class)
    public fun read(context: Context): ByteBuffer

    public companion object {
        private const val FOLDER = "pocketear"

        /**
         * A model that the app depends on, by the name of its file: `cry_laugh` for cry_laugh.tflite.
         * Null: the only one there is.
         */
        @JvmStatic
        @JvmOverloads
        public fun asset(name: String? = null): ModelSource = ModelSource { context ->
            val asset = assetOf(context.assets.list(FOLDER).orEmpty(), name)
            context.assets.openFd("$FOLDER/$asset").use { file ->
                FileInputStream(file.fileDescriptor).channel.use { channel ->
                    channel.map(FileChannel.MapMode.READ_ONLY, file.startOffset, file.declaredLength)
                }
            }
        }

        /** A model in a file, as one that the app has downloaded and verified. */
        @JvmStatic
        public fun file(file: File): ModelSource = ModelSource {
            FileInputStream(file).channel.use { channel ->
                channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size())
            }
        }

        /** The .tflite to run. One of windows, for MediaPipe, may lie beside it. */
        internal fun assetOf(files: Array<out String>, name: String?): String {
            val models = files.filter { it.endsWith(".tflite") && !it.endsWith("_window.tflite") }.sorted()
            val wanted = if (name == null) models else models.filter { it == "$name.tflite" }
            wanted.singleOrNull()?.let { return it }
            throw IOException(
                when {
                    models.isEmpty() -> "assets/$FOLDER holds no .tflite: the app depends on no model"
                    name == null -> "assets/$FOLDER holds $models: say which, as ModelSource.asset(\"" +
                        "${models[0].removeSuffix(".tflite")}\")"
                    else -> "assets/$FOLDER holds $models, and no $name.tflite"
                },
            )
        }
    }
}
