package dev.pocketear

import java.io.File
import java.io.IOException
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

class ModelSourceTest {
    private val two = arrayOf("a_int8.tflite", "a_int8_window.tflite", "b.tflite", "b_window.tflite", "x.txt")

    private fun refusal(files: Array<out String>, name: String?): String =
        assertThrows(IOException::class.java) { ModelSource.assetOf(files, name) }.message!!

    @Test
    fun theOnlyModelNeedsNoName() {
        val files = arrayOf("a_int8.tflite", "a_int8_window.tflite", "x.txt")
        assertEquals("a_int8.tflite", ModelSource.assetOf(files, null))
    }

    @Test
    fun ofTwoModelsEachIsFoundByItsName() {
        assertEquals("a_int8.tflite", ModelSource.assetOf(two, "a_int8"))
        assertEquals("b.tflite", ModelSource.assetOf(two, "b"))
    }

    @Test
    fun whatIsMissingIsSaid() {
        assertTrue("say which, as ModelSource.asset(\"a_int8\")" in refusal(two, null))
        assertTrue("[a_int8.tflite, b.tflite], and no c.tflite" in refusal(two, "c"))
        for (files in listOf(emptyArray(), arrayOf("a_window.tflite"))) {
            assertTrue("depends on no model" in refusal(files, null))
        }
    }

    @Test
    fun aFileIsAModelToo() {
        val file = File.createTempFile("model", ".tflite").apply { deleteOnExit() }
        file.writeBytes(Vectors.bytes("card.tflite"))
        assertEquals("tiny", ModelCard.read(ModelSource.file(file).read(FakeApp())).name)
        file.delete()
        assertThrows(IOException::class.java) { ModelSource.file(file).read(FakeApp()) }
    }
}
