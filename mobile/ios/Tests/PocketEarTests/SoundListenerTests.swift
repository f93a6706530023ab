import Foundation
import XCTest

@testable import PocketEar

/// An app with types of the same names as ours, which has to name both.
private enum App {
    struct SoundEvent {
        let title: String
    }

    static func titled(_ event: PocketEar.SoundEvent) -> SoundEvent { SoundEvent(title: event.label) }
}

/// Capture, interruptions and failure, with a microphone and a model that do what phones do.
final class SoundListenerTests: XCTestCase {
    private let events = Locked<[SoundEvent]>([])
    private let states = Locked<[ListenerState]>([])
    private let errors = Locked<[String]>([])

    private func listener(_ microphone: FakeMicrophone, _ model: FakeModel = FakeModel()) throws -> SoundListener {
        SoundListener(card: try fastCard(), model: { model }, microphone: { microphone }, patience: quick)
    }

    /// Reads the events of `listener` until the task is cancelled or they end.
    private func read(_ listener: SoundListener) -> Task<Void, Never> {
        let (events, states, errors) = (self.events, self.states, self.errors)
        return Task {
            do {
                for try await event in listener.events(onState: { state in states.change { $0.append(state) } }) {
                    events.change { $0.append(event) }
                }
            } catch {
                errors.change { $0.append("\(error)") }
            }
        }
    }

    /// Waits until `condition` holds, ten seconds at most.
    private func until(_ what: String, _ condition: () -> Bool) async throws {
        let began = ContinuousClock.now
        while !condition() {
            if began.duration(to: .now) > .seconds(10) {
                throw SoundListenerError("never: \(what); \(events.value) \(states.value) \(errors.value)")
            }
            try await Task.sleep(for: .milliseconds(2))
        }
    }

    private func untilSounding(_ times: Int = 1) async throws {
        try await until("\(times) events") { events.value.filter { !$0.ended }.count == times }
    }

    private func pause(_ milliseconds: Int) async throws {
        try await Task.sleep(for: .milliseconds(milliseconds))
    }

    func testWhoStopsReadingGetsTheEndOfWhatSoundsAndFreesTheMicrophone() async throws {
        let microphone = FakeMicrophone(.sound)
        let task = read(try listener(microphone))
        try await untilSounding()
        try await pause(200)
        task.cancel()
        await task.value
        let seen = events.value
        XCTAssertEqual(seen.map { $0.ended }, [false, true])
        XCTAssertGreaterThan(seen[1].endSeconds, seen[0].endSeconds + 0.1)  // to its end, not its report
        try await until("a free microphone") { !microphone.inUse.value && microphone.closed.value }
        XCTAssertEqual(states.value, [.starting, .listening])
        XCTAssertEqual(errors.value, [])
    }

    func testStoppingDoesNotWaitForASlowModelAndNothingFollows() async throws {
        let entered = Locked(0)
        let model = FakeModel { run in
            entered.change { $0 = run }
            if run > 1 { Thread.sleep(forTimeInterval: 0.7) }
            return 0.9
        }
        let session = ListeningSession(
            card: try fastCard(), model: model, microphone: FakeMicrophone(.sound), patience: quick,
            onEvent: { [events] event in events.change { $0.append(event) } },
            onState: { [states] state in states.change { $0.append(state) } }, onEnd: { XCTFail("\($0)") })
        session.start()
        try await until("the model at work") { entered.value == 2 }
        let began = ContinuousClock.now
        session.stop()
        XCTAssertLessThan(began.duration(to: .now), .milliseconds(100))
        let seen = (events.value, states.value)
        XCTAssertEqual(seen.0.map { $0.ended }, [false, true])
        try await pause(1000)
        XCTAssertEqual(events.value, seen.0)
        XCTAssertEqual(states.value, seen.1)
        XCTAssertEqual(model.runs, 2)  // what waited is not run
    }

    func testAModelThatThrowsEndsWhatSoundsAndTheErrorArrives() async throws {
        let microphone = FakeMicrophone(.sound)
        let model = FakeModel { run in
            if run == 5 { throw SoundListenerError("Core ML") }
            return 0.9
        }
        let listener = try listener(microphone, model)
        await read(listener).value
        XCTAssertEqual(events.value.map { $0.ended }, [false, true])
        XCTAssertEqual(errors.value, ["Core ML"])
        try await until("a free microphone") { !microphone.inUse.value }
        let again = read(listener)
        try await untilSounding(2)
        again.cancel()
        await again.value
    }

    func testADeniedMicrophoneIsAnErrorAndIsNotTouched() async throws {
        let microphone = FakeMicrophone(.sound, granted: false)
        await read(try listener(microphone)).value
        XCTAssertEqual(errors.value, ["the microphone is denied; the user allows it in Settings"])
        XCTAssertEqual(microphone.starts.value, 0)
    }

    func testAMicrophoneThatCannotBeOpenedAtFirstIsAnError() async throws {
        await read(try listener(FakeMicrophone(.refused))).value
        XCTAssertEqual(errors.value, ["held by another app"])
    }

    func testAnInterruptionEndsWhatSoundsAndItsEndGoesOn() async throws {
        let microphone = FakeMicrophone(.sound, .refused, .sound)
        let task = read(try listener(microphone))
        try await untilSounding()
        microphone.change(.interrupted)
        try await until("an end") { events.value.count == 2 }
        XCTAssertEqual(states.value.last, .paused)
        microphone.change(.available)
        try await untilSounding(2)
        task.cancel()
        await task.value
        XCTAssertEqual(events.value.map { $0.ended }, [false, true, false, true])
        XCTAssertEqual(errors.value, [])
    }

    func testAnInterruptionWithoutAnEndIsTriedAgainAndTheTimeIsCounted() async throws {
        let microphone = FakeMicrophone(.sound, .refused, .refused, .sound)
        let began = ContinuousClock.now
        let task = read(try listener(microphone))
        try await untilSounding()
        microphone.change(.interrupted)
        try await untilSounding(2)
        let elapsed = began.duration(to: .now) / .seconds(1)
        task.cancel()
        await task.value
        XCTAssertEqual(microphone.starts.value, 4)
        let seen = events.value
        // 20, 40 and 80 ms of waiting
        XCTAssertGreaterThan(seen[2].startSeconds, seen[1].endSeconds + 0.1)
        XCTAssertLessThan(seen[2].startSeconds, elapsed)
    }

    func testAMicrophoneThatGivesNothingIsStartedAgain() async throws {
        let microphone = FakeMicrophone(.nothing, .sound)
        let task = read(try listener(microphone))
        try await untilSounding()
        task.cancel()
        await task.value
        XCTAssertEqual(microphone.starts.value, 2)
    }

    func testAMicrophoneThatAlwaysFailsIsTriedSeldom() async throws {
        let microphone = FakeMicrophone(.sound, .refused)
        let task = read(try listener(microphone))
        try await untilSounding()
        microphone.change(.interrupted)
        try await pause(500)
        XCTAssertLessThan(microphone.starts.value, 20)
        task.cancel()
        await task.value
    }

    func testAnotherRouteStartsAnewAtOnce() async throws {
        let microphone = FakeMicrophone(.sound)
        let task = read(try listener(microphone))
        try await untilSounding()
        microphone.change(.replaced)
        try await untilSounding(2)
        task.cancel()
        await task.value
        XCTAssertEqual(microphone.starts.value, 2)
        XCTAssertEqual(events.value.map { $0.ended }, [false, true, false, true])
    }

    func testAMutedMicrophoneIsSaidToBe() async throws {
        let microphone = FakeMicrophone(.zeros, .sound)
        let task = read(try listener(microphone))
        try await until("silenced") { states.value.last == .silenced }
        microphone.change(.replaced)
        try await untilSounding()
        XCTAssertEqual(states.value, [.starting, .listening, .silenced, .paused, .starting, .listening])
        task.cancel()
        await task.value
    }

    func testABurstIsTakenWhole() async throws {
        let model = FakeModel()
        let task = read(try listener(FakeMicrophone(.burst(310)), model))
        try await until("14 windows") { model.runs == 14 }
        task.cancel()
        await task.value
        XCTAssertEqual(events.value.last?.endSeconds ?? 0, 0.29, accuracy: 1e-9)
    }

    func testAModelSlowerThanTheSoundLosesSoundAndKeepsTime() async throws {
        let model = FakeModel { _ in
            Thread.sleep(forTimeInterval: 0.06)  // of hops of 20 ms
            return 0.9
        }
        let began = ContinuousClock.now
        let task = read(try listener(FakeMicrophone(.sound), model))
        try await untilSounding(2)  // after a loss
        let elapsed = began.duration(to: .now) / .seconds(1)
        task.cancel()
        await task.value
        XCTAssertEqual(events.value.map { $0.ended }, [false, true, false, true])
        XCTAssertLessThan(events.value[3].endSeconds, elapsed + 0.1)
    }

    func testAnAppMayHaveTypesOfTheSameNames() {
        let event = SoundEvent(label: "bark", startSeconds: 0, endSeconds: 1, peak: 0.9, ended: true)
        XCTAssertEqual(App.titled(event).title, "bark")
    }

    func testTwoStreamsAtATimeAreApart() async throws {
        let listener = SoundListener(
            card: try fastCard(), model: { FakeModel() }, microphone: { FakeMicrophone(.sound) }, patience: quick)
        let (one, two) = (read(listener), read(listener))
        try await untilSounding(2)
        one.cancel()
        await one.value
        XCTAssertEqual(events.value.filter { $0.ended }.count, 1)
        try await pause(100)
        XCTAssertEqual(events.value.filter { $0.ended }.count, 1)
        two.cancel()
        await two.value
    }
}

final class SampleQueueTests: XCTestCase {
    func testWhatIsFullDropsWhatItHoldsAndSaysHowMuch() {
        let queue = SampleQueue(capacity: 4, step: 1)
        XCTAssertTrue(queue.offer([1, 2]))
        queue.lose(10)
        XCTAssertTrue(queue.offer([3, 4]))
        XCTAssertTrue(queue.offer([5]))
        XCTAssertEqual(queue.take(), .lost(14))
        XCTAssertEqual(queue.take(), .samples([5]))
        XCTAssertNil(queue.take())
    }
    func testItIsTimeToTakeWhenAStepIsWhole() {
        let queue = SampleQueue(capacity: 100, step: 10)
        let nine = [Float](repeating: 1, count: 9)
        XCTAssertEqual([nine, [1, 1], nine, [1]].map(queue.offer), [false, true, true, false])
        queue.lose(0)  // the windows begin anew here
        XCTAssertEqual([nine, [1]].map(queue.offer), [false, true])
    }
}
