import Foundation
import XCTest

@testable import PocketEar

final class EventDecoderTests: XCTestCase {
    func testVectors() throws {
        let cases = try Vectors.cases("decoder.json")
        XCTAssertGreaterThan(cases.count, 50)
        for vector in cases {
            try check(vector)
        }
    }

    private func check(_ vector: [String: Any]) throws {
        let name = try vector.text("name")
        let (reported, ignored) = try run(vector)
        let expected = try vector.objects("events")
        XCTAssertEqual(reported.count, expected.count, name)
        for ((after, event), wanted) in zip(reported, expected) {
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

    private func run(_ vector: [String: Any]) throws -> ([(Int, SoundEvent)], Int) {
        var after = 0
        var reported: [(Int, SoundEvent)] = []
        let decoder = EventDecoder(card: try card(of: vector)) { reported.append((after, $0)) }
        for step in try vector.objects("steps") {
            if step["gap"] != nil {
                decoder.gap(start: try step.int("gap"))
            } else {
                let scores = try XCTUnwrap(step["scores"] as? [Any])
                try decoder.push(scores.map { ($0 as? NSNumber).map { Float($0.doubleValue) } ?? .nan })
            }
            after += 1
        }
        decoder.finish()
        return (reported, decoder.ignored)
    }

    func testInfinityIsNotANumber() throws {
        let decoder = EventDecoder(card: try plainCard()) { XCTFail("\($0)") }
        try decoder.push([0, .infinity])
        XCTAssertEqual(decoder.ignored, 1)
    }

    func testOtherLabelsAreRefused() throws {
        let decoder = EventDecoder(card: try plainCard()) { _ in }
        XCTAssertThrowsError(try decoder.push([0, 0, 0])) { error in
            XCTAssertTrue("\(error)".contains("3 scores for 2 labels"))
        }
    }
}
