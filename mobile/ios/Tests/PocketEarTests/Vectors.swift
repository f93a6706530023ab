import Foundation
import XCTest

@testable import PocketEar

/// mobile/vectors: what the listeners in Python, Kotlin and Swift must all do.
enum Vectors {
    static func cases(_ name: String) throws -> [[String: Any]] {
        let cases = try JSONSerialization.jsonObject(with: Data(contentsOf: try file(name)))
        return try XCTUnwrap(cases as? [[String: Any]])
    }

    /// Beside the tests in the package that ships, in mobile/vectors of the project else.
    private static func file(_ name: String) throws -> URL {
        let here = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        let places = [here.appendingPathComponent("Vectors"), here.appendingPathComponent("../../../vectors")]
        let files = places.map { $0.appendingPathComponent(name) }
        return try XCTUnwrap(files.first { FileManager.default.fileExists(atPath: $0.path) })
    }
}

extension Dictionary where Key == String, Value == Any {
    func number(_ key: String) throws -> Double {
        try XCTUnwrap(self[key] as? NSNumber).doubleValue
    }

    func int(_ key: String) throws -> Int {
        try XCTUnwrap(self[key] as? NSNumber).intValue
    }

    func text(_ key: String) throws -> String {
        try XCTUnwrap(self[key] as? String)
    }

    /// Samples; null in the file is not a number.
    func samples(_ key: String) throws -> [Float] {
        try XCTUnwrap(self[key] as? [Any]).map { ($0 as? NSNumber).map { Float($0.doubleValue) } ?? .nan }
    }

    func objects(_ key: String) throws -> [[String: Any]] {
        try XCTUnwrap(self[key] as? [[String: Any]])
    }
}

/// The card that a case's settings describe.
func card(of vector: [String: Any]) throws -> ModelCard {
    var fields = vector
    fields["version"] = "0.0.0"
    for key in ["steps", "events"] {
        fields[key] = nil
    }
    return try ModelCard(json: JSONSerialization.data(withJSONObject: fields))
}

/// A card with one label that sounds, at 4 Hz.
func plainCard(window: Int = 8, hop: Int = 4, quietPeak: Double = 0) throws -> ModelCard {
    let text = """
        {"name": "plain", "version": "0.0.0", "labels": ["other", "bark"], "sample_rate": 4,
         "window_length": \(window), "listener": {"hop_length": \(hop), "smoothing": 1, "hysteresis": 0.1,
         "min_seconds": 0, "refractory_seconds": 0, "thresholds": {"bark": 0.5},
         "background": ["other"], "quiet_peak": \(quietPeak)}}
        """
    return try ModelCard(json: Data(text.utf8))
}
