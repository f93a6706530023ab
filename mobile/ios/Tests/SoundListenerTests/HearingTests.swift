import Foundation
import XCTest

@testable import SoundListener

/// Gives the same scores for every window, and keeps what it was given.
private final class Constant: SoundModel {
    var windows: [[Float]] = []
    let answer: [Float]

    init(_ answer: [Float]) {
        self.answer = answer
    }

    func scores(of window: [Float]) throws -> [Float] {
        windows.append(window)
        return answer
    }
}

final class HearingTests: XCTestCase {
    func testDigitalSilenceIsNotPutToTheModel() throws {
        let model = Constant([0, 1])
        let hearing = Hearing(card: try plainCard(), model: model) { XCTFail("told \($0)") }
        try hearing.push(Array(repeating: 0, count: 4 * 3600))
        try hearing.finish()
        XCTAssertTrue(model.windows.isEmpty)
    }

    func testAClipShorterThanAWindowIsHeardOncePadded() throws {
        let model = Constant([0, 1])
        let hearing = Hearing(card: try plainCard(), model: model) { _ in }
        try hearing.push([1, 2, 3])
        try hearing.finish()
        XCTAssertEqual(model.windows, [[1, 2, 3, 0, 0, 0, 0, 0]])
    }

    func testALossEndsWhatSounds() throws {
        var events: [Event] = []
        let hearing = Hearing(card: try plainCard(), model: Constant([0, 0.9])) { events.append($0) }
        try hearing.push(Array(repeating: 1, count: 16))
        hearing.lose(40)
        XCTAssertEqual(events.map { $0.ended }, [false, true])
        try hearing.push(Array(repeating: 1, count: 8))
        XCTAssertEqual(events.last?.startSeconds, Double(16 + 40 + 2) / 4)
    }

    func testAModelOfNotANumberIsCounted() throws {
        let hearing = Hearing(card: try plainCard(), model: Constant([.nan, 0])) { XCTFail("told \($0)") }
        try hearing.push(Array(repeating: 1, count: 80))
        XCTAssertEqual(hearing.ignored, 19)
    }
}
