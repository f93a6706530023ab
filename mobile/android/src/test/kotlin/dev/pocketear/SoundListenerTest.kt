package dev.pocketear

import android.content.Context
import android.content.ContextWrapper
import android.content.pm.PackageManager
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

class SoundListenerTest {
    /** An app whose user has not granted the microphone, and which has nothing else. */
    private class Denied : ContextWrapper(null) {
        override fun getApplicationContext(): Context = this

        override fun checkSelfPermission(permission: String): Int = PackageManager.PERMISSION_DENIED
    }

    @Test
    fun aHopIsReadAtTheDevicesRate() {
        val card = plainCard(16_000, 8_000, 16_000)
        assertEquals(listOf(8_000, 22_050, 24_000), listOf(16_000, 44_100, 48_000).map { Microphone.hopAt(it, card) })
        assertEquals(536, Microphone.hopAt(11_025, plainCard(1_000, 777, 16_000))) // 535.4
    }

    @Test
    fun aDeniedMicrophoneIsToldBeforeAnythingIsOpened() {
        val listener = SoundListener(Denied())
        assertFalse(listener.mayListen)
        val error = assertThrows(SecurityException::class.java) { listener.start { throw AssertionError(it) } }
        assertTrue(error.message!!, "call askFor(activity, requestCode) first" in error.message!!)
        listener.close()
    }
}
