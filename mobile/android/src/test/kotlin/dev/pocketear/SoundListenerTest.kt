package dev.pocketear

import java.util.Collections
import java.util.concurrent.CountDownLatch
import java.util.concurrent.TimeUnit
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import org.junit.After
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

/** Capture, lifecycle and failure, with a microphone and a model that do what phones do. */
class SoundListenerTest {
    private val events = Collections.synchronizedList(mutableListOf<SoundEvent>())
    private val states = Collections.synchronizedList(mutableListOf<ListenerState>())
    private val app = FakeApp()
    private var device = FakeDevice { FakeModel() }

    @After
    fun theMainThreadEnds() = device.close()

    private fun listener(microphone: Microphone, inBackground: Boolean = false) =
        SoundListener(app, inBackground, microphone, device)

    private fun SoundListener.begin() = device.onMain { start(states::add, this@SoundListenerTest.events::add) }

    private fun SoundListener.end() = device.onMain { close() }

    /** Waits until [condition] holds, ten seconds at most. */
    private fun until(what: String, condition: () -> Boolean) {
        val end = System.nanoTime() + 10_000_000_000
        while (!condition()) {
            assertTrue("never: $what; events $events, states $states", System.nanoTime() < end)
            Thread.sleep(2)
        }
    }

    private fun untilSounding() = until("an event") { events.any { !it.ended } }

    private fun reason(reason: PauseReason) = ListenerState.Paused(reason)

    @Test
    fun aHopIsReadAtTheDevicesRate() {
        val card = plainCard(16_000, 8_000, 16_000)
        assertEquals(listOf(8_000, 22_050, 24_000), listOf(16_000, 44_100, 48_000).map(card::hopAt))
        assertEquals(536, plainCard(1_000, 777, 16_000).hopAt(11_025)) // 535.4
    }

    @Test
    fun aDeniedMicrophoneIsSaidBeforeAnythingIsOpened() {
        app.granted = false
        val microphone = FakeMicrophone(realTime())
        val listener = listener(microphone)
        assertFalse(listener.mayListen)
        val error = assertThrows(SecurityException::class.java) { listener.start { throw AssertionError(it) } }
        assertTrue(error.message!!, "call askFor(activity, requestCode) first" in error.message!!)
        listener.close()
        assertEquals(0, microphone.opened.get() + device.loaded.size)
    }

    @Test
    fun everyEventThatBeganIsEndedBeforeCloseReturnsAndNothingFollows() {
        val microphone = FakeMicrophone(realTime())
        val listener = listener(microphone)
        listener.begin()
        untilSounding()
        Thread.sleep(200)
        val seen = device.onMain {
            listener.close()
            events.toList()
        }
        assertEquals(listOf(false, true), seen.map { it.ended })
        assertTrue("$seen", seen[1].endSeconds > seen[0].endSeconds + 0.1) // to its end, not its report
        assertEquals(ListenerState.Stopped, listener.state.value)
        Thread.sleep(100)
        assertEquals(seen, events.toList())
        assertEquals(listOf(ListenerState.Starting, ListenerState.Listening, ListenerState.Stopped), states.toList())
        until("the microphone is free") { microphone.inUse.get() == 0 }
        assertTrue(device.loaded.single().closed.await(5, TimeUnit.SECONDS))
    }

    @Test
    fun closeDoesNotWaitForAReadThatNeverReturns() {
        val never = CountDownLatch(1)
        val listener = listener(FakeMicrophone({ _, _ -> never.await(); 0 }, realTime()))
        listener.begin()
        Thread.sleep(50)
        listener.end() // onMain fails if it waits
        assertTrue(device.loaded.single().closed.await(5, TimeUnit.SECONDS))
        listener.begin() // with another recording
        untilSounding()
        listener.end()
        never.countDown()
    }

    @Test
    fun closeDoesNotWaitForASlowModelNorDrainTheQueue() {
        device.close()
        device = FakeDevice { FakeModel { Thread.sleep(700); 0.9f } }
        val listener = listener(FakeMicrophone(realTime()))
        listener.begin()
        untilSounding()
        Thread.sleep(500) // many windows wait
        listener.end()
        val model = device.loaded.single()
        val runs = model.runs.get()
        assertTrue("the model is closed", model.closed.await(2, TimeUnit.SECONDS))
        assertTrue("${model.runs} after $runs", model.runs.get() <= runs + 1)
        assertEquals(listOf(false, true), events.map { it.ended })
    }

    @Test
    fun aModelSlowerThanTheSoundLosesSoundAndKeepsTime() {
        device.close()
        device = FakeDevice { FakeModel { Thread.sleep(60); 0.9f } } // of hops of 20 ms
        val listener = listener(FakeMicrophone(realTime()))
        val began = System.nanoTime()
        listener.begin()
        until("an event after a loss") { events.count { !it.ended } >= 2 }
        val seconds = (System.nanoTime() - began) / 1e9
        listener.end()
        assertTrue("$events", events.zipWithNext().all { (a, b) -> a.ended != b.ended })
        assertTrue("${events.last()} in $seconds s", events.last().endSeconds < seconds + 0.1)
    }

    @Test
    fun theModelRunsOnItsOwnThreadAndACloseInTheFirstWindowRunsNone() {
        val listener = listener(FakeMicrophone({ samples, _ -> samples.fill(LOUD, 0, 1); 1 }))
        listener.begin()
        Thread.sleep(30)
        listener.end()
        assertTrue(device.loaded.single().closed.await(5, TimeUnit.SECONDS))
        assertTrue("${device.loaded[0].threads}", device.loaded[0].threads.all { it == "pocketear-inference" })
        listener.begin() // starts anew
        assertEquals(2, device.loaded.size)
        listener.end()
    }

    @Test
    fun aModelThatThrowsEndsWhatSoundsFreesAllAndCanBeStartedAgain() {
        device.close()
        var runs = 0
        device = FakeDevice { FakeModel { check(runs++ != 4) { "LiteRT" }; 0.9f } }
        val microphone = FakeMicrophone(realTime())
        val listener = listener(microphone)
        listener.begin()
        until("a failure") { listener.state.value is ListenerState.Failed }
        assertEquals(listOf(false, true), events.map { it.ended })
        assertEquals("LiteRT", (states.last() as ListenerState.Failed).error.message)
        until("the microphone is free") { microphone.inUse.get() == 0 }
        assertTrue(device.loaded[0].closed.await(5, TimeUnit.SECONDS))
        listener.begin()
        until("another event") { events.count { !it.ended } == 2 }
        listener.end()
        assertEquals(2, device.loaded.size)
    }

    @Test
    fun aDeadMicrophoneIsOpenedAgainAndTheTimeIsCounted() {
        val dead = after(10, realTime(), { _, _ -> -6 }) // AudioRecord.ERROR_DEAD_OBJECT
        val microphone = FakeMicrophone(dead, null, null, realTime())
        val listener = listener(microphone)
        val began = System.nanoTime()
        listener.begin()
        until("a second event") { events.count { !it.ended } == 2 }
        val seconds = (System.nanoTime() - began) / 1e9
        listener.end()
        assertEquals(4, microphone.opened.get())
        assertTrue("$states", reason(PauseReason.MICROPHONE_UNAVAILABLE) in states)
        assertEquals(listOf(false, true, false, true), events.map { it.ended })
        assertTrue("$events", events[2].startSeconds > events[1].endSeconds + 0.02) // two waits, one of them 10 ms
        assertTrue("${events[2]} in $seconds s", events[2].startSeconds < seconds)
    }

    @Test
    fun aMicrophoneThatDiesAtOnceEveryTimeIsTriedSeldom() {
        val microphone = FakeMicrophone({ _, _ -> -6 })
        val listener = listener(microphone)
        listener.begin()
        Thread.sleep(500)
        listener.end()
        assertTrue("${microphone.opened} times", microphone.opened.get() in 3..20)
    }

    @Test
    fun aReadOfNothingNeitherSpinsNorLastsForEver() {
        val microphone = FakeMicrophone({ _, _ -> 0 }, realTime())
        val listener = listener(microphone)
        listener.begin()
        untilSounding() // after the first recording was given up
        val reads = microphone.reads.get()
        listener.end()
        assertEquals(2, microphone.opened.get())
        assertTrue("$reads reads", reads < 100)
    }

    @Test
    fun aMicrophoneThatCannotBeOpenedAtFirstIsAFailure() {
        val listener = listener(FakeMicrophone(null))
        listener.begin()
        until("a failure") { listener.state.value is ListenerState.Failed }
        assertTrue(device.loaded.single().closed.await(5, TimeUnit.SECONDS))
    }

    @Test
    fun aRevokedPermissionIsAFailure() {
        val listener = listener({ _, _ -> throw SecurityException("revoked") })
        listener.begin()
        until("a failure") { listener.state.value is ListenerState.Failed }
    }

    @Test
    fun silenceOfAnotherAppsMakingIsAState() {
        val listener = listener(FakeMicrophone(after(60, realTime(0), realTime())))
        listener.begin()
        untilSounding()
        listener.end()
        val expected = listOf(ListenerState.Starting, ListenerState.Listening, ListenerState.Silenced,
            ListenerState.Listening, ListenerState.Stopped)
        assertEquals(expected, states.toList())
    }

    @Test
    fun aBurstIsReadAtOnceAndNothingOfItIsLost() {
        var given = 0
        val burst = Source { samples, size ->
            val now = minOf(size, 310 - given)
            samples.fill(LOUD, 0, now)
            given += now
            now
        }
        val listener = listener(FakeMicrophone(burst))
        listener.begin()
        until("14 windows") { device.loaded.single().runs.get() == 14 }
        listener.end()
        assertEquals(0.29, events.last().endSeconds, 1e-9)
    }

    @Test
    fun anotherRateIsResampledToTheModels() {
        val rate = 1_500
        val dead = after(10, realTime(), { _, _ -> -6 })
        val listener = listener(FakeMicrophone(dead, realTime(rate = rate), rates = listOf(RATE, rate)))
        val began = System.nanoTime()
        listener.begin()
        until("a second event") { events.count { !it.ended } == 2 }
        Thread.sleep(400)
        listener.end()
        val seconds = (System.nanoTime() - began) / 1e9
        assertTrue("${events.last()} in $seconds s", events.last().endSeconds in seconds - 0.3..seconds)
    }

    @Test
    fun aRotationDoesNotCutASound() {
        val listener = listener(FakeMicrophone(realTime()))
        val (old, new) = activity() to activity()
        listener.begin()
        device.onMain { app.started(old) }
        untilSounding()
        val rotated = Collections.synchronizedList(mutableListOf<SoundEvent>())
        device.onMain { app.stopped(old) }
        Thread.sleep(100)
        device.onMain {
            app.started(new)
            listener.start(onEvent = rotated::add) // its callbacks replace those of the old one
        }
        Thread.sleep(AppVisibility.GRACE_MILLIS + 200)
        listener.end()
        assertEquals(listOf(false), events.map { it.ended })
        assertEquals(listOf(true), rotated.map { it.ended })
        assertEquals(events[0].startSeconds, rotated[0].startSeconds, 0.0)
        assertEquals(1, device.loaded.size)
        assertTrue(app.callbacks.isEmpty())
    }

    @Test
    fun whileHiddenTheMicrophoneIsFreeAndWhatSoundedHasEnded() {
        val microphone = FakeMicrophone(realTime())
        val listener = listener(microphone)
        val activity = activity()
        listener.begin()
        device.onMain { app.started(activity) }
        untilSounding()
        device.onMain { app.stopped(activity) }
        until("hidden") { listener.state.value == reason(PauseReason.HIDDEN) }
        until("an end") { events.any { it.ended } }
        assertEquals(0, microphone.inUse.get())
        Thread.sleep(100)
        assertEquals(2, events.size)
        device.onMain { app.started(activity) }
        until("a second event") { events.count { !it.ended } == 2 }
        assertTrue("$events", events[2].startSeconds > events[1].endSeconds + 0.1)
        listener.end()
    }

    @Test
    fun hidingDoesNotWaitForAReadThatNeverReturns() {
        val never = CountDownLatch(1)
        val listener = listener(FakeMicrophone({ _, _ -> never.await(); 0 }))
        val activity = activity()
        listener.begin()
        device.onMain { app.started(activity) }
        Thread.sleep(50)
        device.onMain { app.stopped(activity) }
        Thread.sleep(AppVisibility.GRACE_MILLIS + 100)
        device.onMain { app.started(activity) }
        listener.end()
        never.countDown()
    }

    @Test
    fun inTheBackgroundItGoesOn() {
        val listener = listener(FakeMicrophone(realTime()), inBackground = true)
        listener.begin()
        untilSounding()
        assertTrue(app.callbacks.isEmpty())
        listener.end()
    }

    @Test
    fun anAppMayCloseItFromACallback() {
        val listener = listener(FakeMicrophone(realTime()))
        device.onMain {
            listener.start { event ->
                events += event
                listener.close()
            }
        }
        until("stopped") { listener.state.value == ListenerState.Stopped && events.size == 2 }
        assertEquals(listOf(false, true), events.map { it.ended })
    }

    /** As a screen does that is rebuilt while the listener lives on. */
    @Test
    fun flowsHaveTheEventsAndTheStateForWhoeverCollects() = runBlocking {
        val listener = listener(FakeMicrophone(realTime()))
        val collected = Collections.synchronizedList(mutableListOf<SoundEvent>())
        val job = launch(Dispatchers.Default) { listener.events.collect { collected += it } }
        device.onMain { listener.start() }
        withTimeout(5_000) { listener.state.first { it == ListenerState.Listening } }
        until("an event") { collected.isNotEmpty() }
        listener.end()
        until("its end") { collected.size == 2 }
        job.cancel()
        assertEquals(ListenerState.Stopped, listener.state.value)
    }

    @Test
    fun twoModelsListenAtATimeAndAreApart() {
        FakeDevice { FakeModel { 0.8f } }.use { other ->
            val one = listener(FakeMicrophone(realTime()))
            val two = SoundListener(app, false, FakeMicrophone(realTime()), other)
            val theirs = Collections.synchronizedList(mutableListOf<SoundEvent>())
            one.begin()
            other.onMain { two.start(onEvent = theirs::add) }
            untilSounding()
            until("an event of the other") { theirs.isNotEmpty() }
            one.end()
            assertEquals(listOf(false), theirs.map { it.ended })
            other.onMain { two.close() }
            assertEquals(listOf(0.8f, 0.8f), theirs.map { it.peak })
            assertEquals(listOf(0.9f, 0.9f), events.map { it.peak })
        }
    }

    @Test
    fun aHundredStartsAndClosesLeaveNothingBehind() {
        val microphone = FakeMicrophone(realTime())
        val listener = listener(microphone)
        repeat(100) {
            listener.begin()
            listener.end()
        }
        until("all microphones are free") { microphone.inUse.get() == 0 }
        for (model in device.loaded) assertTrue(model.closed.await(5, TimeUnit.SECONDS))
        fun ours() = Thread.getAllStackTraces().keys.map { it.name }.filter { it == "pocketear-inference" }
        until("all threads have ended") { ours().isEmpty() }
    }
}
