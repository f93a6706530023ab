import Foundation
import XCTest

@testable import PocketEar

final class FrontEndTests: XCTestCase {
    func testThePortablePathIsLibrosas() throws {
        try checkVectors { PortableMath(size: $0) }
    }

    #if canImport(Accelerate)
    func testTheAcceleratePathIsLibrosas() throws {
        try checkVectors { try AccelerateMath(size: $0) }
    }
    #endif

    private func checkVectors(_ math: (Int) throws -> FrontEndMath) throws {
        let cases = try Vectors.cases("front_end.json")
        XCTAssertGreaterThan(cases.count, 20)
        for vector in cases {
            let settings = try FrontEndSettings(card: try cardText(of: vector))
            let frontEnd = try FrontEnd(settings, math: math(settings.n_fft))
            let computed = try features(frontEnd, try vector.floats("waveform"))
            let (name, error) = (try vector.text("name"), try worst(computed, vector, settings))
            XCTAssertLessThanOrEqual(error, try vector.number("limit"), name)
        }
    }

    /// As numeric_error.power_error of a log-mel, and agreement.row_error of an MFCC.
    private func worst(_ computed: [[Float]], _ vector: [String: Any], _ settings: FrontEndSettings) throws -> Double {
        let wanted = try XCTUnwrap(vector["features"] as? [[NSNumber]])
        let loudest = try vector.floats("loudest")
        XCTAssertEqual(computed.map { $0.count }, wanted.map { $0.count })
        let unit = settings.log == .db ? log(10) / 20 : 0.5
        var worst = 0.0
        for (index, row) in wanted.enumerated() {
            let largest = row.map { abs($0.doubleValue) }.max() ?? 0
            let quiet = max(2e-3 * Double(loudest[index]).squareRoot(), Double(settings.floor).squareRoot())
            for (found, value) in zip(computed[index], row) {
                if settings.kind == .mfcc {
                    worst = max(worst, abs(Double(found) - value.doubleValue) / largest)
                } else {
                    let amplitude = exp(value.doubleValue * unit)
                    worst = max(worst, 2 * abs(exp(Double(found) * unit) - amplitude) / max(amplitude, quiet))
                }
            }
        }
        return worst
    }

    func testAWindowOfAnotherLengthIsRefused() throws {
        let frontEnd = try FrontEnd(FrontEndSettings(card: try cardText(of: Vectors.cases("front_end.json")[0])))
        XCTAssertThrowsError(try features(frontEnd, Array(repeating: 0, count: 999))) { error in
            XCTAssertTrue("\(error)".contains("999 samples"), "\(error)")
        }
    }

    /// Also where the sample lies in no frame, or an infinity would be a floor; the next window is not affected.
    func testAChunkHasTheFramesOfItsOwnLength() throws {
        let settings = try FrontEndSettings(card: try cardText(of: Vectors.cases("front_end.json")[1]))
        let whole = try FrontEnd(settings)
        let chunk = try FrontEnd(settings.of(length: 500))
        XCTAssertLessThan(chunk.frames, whole.frames)
        let samples = try Vectors.cases("front_end.json")[1].floats("waveform")
        let computed = try features(chunk, Array(samples[..<500]))
        XCTAssertEqual(computed.count, chunk.frames)
        XCTAssertThrowsError(try settings.of(length: settings.n_fft - 1))
    }

    func testWhatIsNotANumberMakesAllFeaturesNaN() throws {
        let vector = try Vectors.cases("front_end.json")[1]
        let frontEnd = try FrontEnd(FrontEndSettings(card: try cardText(of: vector)))
        for (place, bad) in [(0, Float.nan), (999, .nan), (500, .infinity)] {
            var samples = try vector.floats("waveform")
            samples[place] = bad
            XCTAssertTrue(try features(frontEnd, samples).joined().allSatisfy { $0.isNaN })
        }
        XCTAssertTrue(try features(frontEnd, vector.floats("waveform")).joined().allSatisfy { $0.isFinite })
    }

    func testDigitalSilenceIsTheFloor() throws {
        let frontEnd = try FrontEnd(FrontEndSettings(card: try cardText(of: Vectors.cases("front_end.json")[0])))
        let computed = try features(frontEnd, Array(repeating: 0, count: 1000))
        XCTAssertTrue(computed.joined().allSatisfy { abs($0 + 70) < 1e-4 })
    }

    func testAFrontEndThatIsMissingOrWrongIsRefusedByName() throws {
        let vector = try Vectors.cases("front_end.json")[0]
        for (key, value, reported) in [
            ("n_fft", 400, "power of two"), ("n_fft", 2048, "at most window_length"),
            ("win_length", 400, "2 to n_fft"), ("hop_length", 0, "wrong lengths"),
            ("n_mels", 0, "n_mels"), ("n_mfcc", 25, "n_mfcc"), ("fmax", 9000, "fmax"), ("fmin", 8000, "fmin"),
            ("floor", 0, "floor"), ("lifter", -1, "lifter"), ("sample_rate", 1, "sample_rate"),
            ("window_length", 1001, "another window"), ("kind", "chroma", "chroma"),
        ] as [(String, Any, String)] {
            var frontend = try XCTUnwrap(vector["frontend"] as? [String: Any])
            frontend[key] = value
            let refused = refusal(try cardText(of: ["frontend": frontend]))
            XCTAssertTrue(refused.contains(ModelCard.key) && refused.contains(reported), "\(key): \(refused)")
        }
        XCTAssertTrue(refusal(try cardText(of: [:])).contains("no front-end that can be read"))
        XCTAssertTrue(refusal(try cardText(of: ["frontend": [String: Any]()])).contains("no front-end that can be read"))
    }

    private func refusal(_ card: Data) -> String {
        do {
            _ = try FrontEndSettings(card: card)
            return ""
        } catch {
            return "\(error)"
        }
    }

    /// What of a card matters here.
    private func cardText(of vector: [String: Any]) throws -> Data {
        let frontend = vector["frontend"] as? [String: Any]
        var card: [String: Any] = ["sample_rate": 16_000, "window_length": 1000]
        card["frontend"] = frontend
        if vector["waveform"] != nil { card["sample_rate"] = frontend?["sample_rate"] }
        return try JSONSerialization.data(withJSONObject: card)
    }

    private func features(_ frontEnd: FrontEnd, _ samples: [Float]) throws -> [[Float]] {
        var flat = [Float](repeating: 0, count: frontEnd.frames * frontEnd.coefficients)
        try flat.withUnsafeMutableBufferPointer { _ = try frontEnd.features(of: samples, into: $0) }
        return stride(from: 0, to: flat.count, by: frontEnd.coefficients).map {
            Array(flat[$0..<$0 + frontEnd.coefficients])
        }
    }
}

extension Dictionary where Key == String, Value == Any {
    fileprivate func floats(_ key: String) throws -> [Float] {
        try XCTUnwrap(self[key] as? [NSNumber]).map { $0.floatValue }
    }
}
