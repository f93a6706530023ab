import Foundation
import XCTest

@testable import SoundListener

final class ListenerTests: XCTestCase {
    func testVectors() throws {
        let cases = try Vectors.cases("listener.json")
        XCTAssertGreaterThan(cases.count, 50)
        for vector in cases {
            try check(vector)
        }
    }

    private func check(_ vector: [String: Any]) throws {
        let name = try vector.text("name")
        let (told, ignored) = try heard(vector)
        let expected = try vector.objects("events")
        XCTAssertEqual(told.count, expected.count, name)
        for ((after, event), wanted) in zip(told, expected) {
            XCTAssertEqual(after, try wanted.int("after"), name)
            XCTAssertEqual(event.label, try wanted.text("label"), name)
            XCTAssertEqual(event.ended, try wanted.int("ended") == 1, name)
            XCTAssertEqual(event.peak, Float(try wanted.number("peak")), name)
            // Not to the last bit: that is JSONSerialization's reading of 17 digits, not the listener's.
            XCTAssertEqual(event.startSeconds, try wanted.number("start_s"), accuracy: 1e-9, name)
            XCTAssertEqual(event.endSeconds, try wanted.number("end_s"), accuracy: 1e-9, name)
        }
        XCTAssertEqual(ignored, try vector.int("ignored"), name)
    }

    private func heard(_ vector: [String: Any]) throws -> ([(Int, Event)], Int) {
        var after = 0
        var told: [(Int, Event)] = []
        let listener = Listener(card: try card(of: vector)) { told.append((after, $0)) }
        for step in try vector.objects("steps") {
            if step["gap"] != nil {
                listener.gap(start: try step.int("gap"))
            } else {
                let scores = try XCTUnwrap(step["scores"] as? [Any])
                try listener.push(scores.map { ($0 as? NSNumber).map { Float($0.doubleValue) } ?? .nan })
            }
            after += 1
        }
        listener.finish()
        return (told, listener.ignored)
    }

    func testInfinityIsNotANumber() throws {
        let listener = Listener(card: try plainCard()) { XCTFail("told \($0)") }
        try listener.push([0, .infinity])
        XCTAssertEqual(listener.ignored, 1)
    }

    func testOtherLabelsAreRefused() throws {
        let listener = Listener(card: try plainCard()) { _ in }
        XCTAssertThrowsError(try listener.push([0, 0, 0])) { error in
            XCTAssertTrue("\(error)".contains("3 scores for 2 labels"))
        }
    }
}
