import Foundation
import XCTest

@testable import PocketEar

/// Gives the same scores for every window, and keeps what it was given.
private final class Constant: SoundModel {
    var windows: [[Float]] = []
    let answer: [Float]

    init(_ answer: [Float]) {
        self.answer = answer
    }

    func scores(of window: [Float], carried: Bool) throws -> [Float] {
        windows.append(window)
        return answer
    }
}

/// Gives what a function gives.
private struct Function: SoundModel {
    let run: ([Float], Bool) throws -> [Float]

    func scores(of window: [Float], carried: Bool) throws -> [Float] {
        try run(window, carried)
    }
}

final class SoundEventDetectorTests: XCTestCase {
    func testDigitalSilenceIsNotPutToTheModel() throws {
        let model = Constant([0, 1])
        let detector = SoundEventDetector(card: try plainCard(), model: model) { XCTFail("\($0)") }
        try detector.push(Array(repeating: 0, count: 4 * 3600))
        try detector.finish()
        XCTAssertTrue(model.windows.isEmpty)
    }

    func testAClipShorterThanAWindowIsClassifiedOncePadded() throws {
        let model = Constant([0, 1])
        let detector = SoundEventDetector(card: try plainCard(), model: model) { _ in }
        try detector.push([1, 2, 3])
        try detector.finish()
        XCTAssertEqual(model.windows, [[1, 2, 3, 0, 0, 0, 0, 0]])
    }

    func testTheReferenceRunsTheSameWindowsAndCarriesTheSame() throws {
        for vector in try Vectors.cases("detector.json") {
            let name = try vector.text("name")
            let (samples, length) = (try stream(of: vector), try vector.int("window_length"))
            let expected = try vector.objects("windows").filter { try $0.int("run") == 1 }
            var found: [(window: [Float], carried: Bool)] = []
            try stream(vector, Function { window, carried in
                found.append((window, carried))
                return [0, 0]
            })
            XCTAssertEqual(found.map { $0.carried }, try expected.map { try $0.int("carried") == 1 }, name)
            for (run, wanted) in zip(found, expected) {
                let start = try wanted.int("start")
                XCTAssertEqual(bits(run.window), bits(samples[start..<start + length]), name)
            }
        }
    }

    /// What a model that takes one chunk at a time gives does not depend on what is carried.
    func testCarriedOrNotTheScoresAreTheSame() throws {
        for vector in try Vectors.cases("detector.json") {
            let (length, hop) = (try vector.int("window_length"), try vector.int("hop_length"))
            if length % hop != 0 { continue }
            var carrying = Sums(hop: hop, chunks: length / hop)
            var starting = Sums(hop: hop, chunks: length / hop)
            try stream(vector, Function { window, carried in
                let scores = carrying.scores(of: window, carried: carried)
                XCTAssertEqual(bits(scores), bits(starting.scores(of: window, carried: false)))
                return scores
            })
        }
    }

    func testAModelThatThrewBreaksTheStreamWhichGoesOnInTime() throws {
        var found: [Bool] = []
        var starts: [Double] = []
        let model = Function { _, carried in
            found.append(carried)
            if found.count == 2 { throw SoundListenerError("second") }
            return [0, 0.9]
        }
        let detector = SoundEventDetector(card: try plainCard(), model: model) { starts.append($0.startSeconds) }
        try detector.push(Array(repeating: 1, count: 8))
        XCTAssertThrowsError(try detector.push(Array(repeating: 1, count: 7)))
        try detector.push(Array(repeating: 1, count: 12))
        XCTAssertEqual(found, [false, true, false, true])
        // Begun at 2 of the first window, ended by the error, begun anew in the window from 15 on.
        XCTAssertEqual(starts, [0.5, 0.5, 4.25])
    }

    /// All samples of a case's stream: those lost, and those after its end, are 0.
    private func stream(of vector: [String: Any]) throws -> [Float] {
        let known = try vector.objects("steps").flatMap { step -> [Float] in
            try step["lost"] == nil ? step.samples("samples") : Array(repeating: 0, count: step.int("lost"))
        }
        return known + Array(repeating: 0, count: try vector.int("window_length"))
    }

    private func stream(_ vector: [String: Any], _ model: SoundModel) throws {
        let card = try plainCard(
            window: vector.int("window_length"), hop: vector.int("hop_length"),
            quietPeak: vector.number("quiet_peak"))
        let detector = SoundEventDetector(card: card, model: model) { _ in }
        for step in try vector.objects("steps") {
            if step["lost"] != nil {
                detector.skip(try step.int("lost"))
            } else {
                try detector.push(step.samples("samples"))
            }
        }
        try detector.finish()
        let name = try vector.text("name")
        XCTAssertEqual(detector.ignored, try vector.int("ignored"), name)
    }

    func testALossEndsWhatSounds() throws {
        var events: [SoundEvent] = []
        let detector = SoundEventDetector(card: try plainCard(), model: Constant([0, 0.9])) { events.append($0) }
        try detector.push(Array(repeating: 1, count: 16))
        detector.skip(40)
        XCTAssertEqual(events.map { $0.ended }, [false, true])
        try detector.push(Array(repeating: 1, count: 8))
        XCTAssertEqual(events.last?.startSeconds, Double(16 + 40 + 2) / 4)
    }

    func testAModelOfNotANumberIsCounted() throws {
        let detector = SoundEventDetector(card: try plainCard(), model: Constant([.nan, 0])) { XCTFail("\($0)") }
        try detector.push(Array(repeating: 1, count: 80))
        XCTAssertEqual(detector.ignored, 19)
    }
}
