#if canImport(CoreML)
import CoreML
import CryptoKit
import Foundation

/// The .mlpackage of this package, run by Core ML.
///
/// Unchecked: `samples`, the only thing that changes, is touched under `lock` alone.
public final class ModelRunner: SoundModel, @unchecked Sendable {
    public let card: ModelCard
    public let model: MLModel
    private let input: String
    private let probabilities: String
    private let lock = NSLock()
    private let samples: MLMultiArray

    /// Compiles the model, unless this device did before, and loads it.
    public convenience init() async throws {
        try await self.init(model: ModelRunner.load(ModelRunner.source()))
    }

    /// Takes a loaded model with a card in its metadata.
    public init(model: MLModel) throws {
        let description = model.modelDescription
        let metadata = description.metadata[MLModelMetadataKey.creatorDefinedKey] as? [String: String]
        guard let text = metadata?[ModelCard.key] else {
            throw SoundListenerError("the model has no \(ModelCard.key) in its metadata; export it again")
        }
        guard let input = description.inputDescriptionsByName.keys.first,
            let probabilities = description.predictedProbabilitiesName
        else {
            throw SoundListenerError("the model is not a classifier of one input; export it again")
        }
        self.model = model
        self.input = input
        self.probabilities = probabilities
        card = try ModelCard(json: Data(text.utf8))
        samples = try MLMultiArray(shape: [NSNumber(value: card.windowLength)], dataType: .float32)
    }

    public func scores(of window: [Float]) throws -> [Float] {
        if window.count != samples.count {
            throw SoundListenerError("a window of \(window.count) samples, want \(samples.count)")
        }
        lock.lock()
        defer { lock.unlock() }
        samples.withUnsafeMutableBufferPointer(ofType: Float.self) { pointer, _ in
            for index in window.indices { pointer[index] = window[index] }
        }
        let features = try MLDictionaryFeatureProvider(dictionary: [input: samples])
        let found = try model.prediction(from: features).featureValue(for: probabilities)
        return try card.labels.map { label in
            guard let score = found?.dictionaryValue[label] else {
                throw SoundListenerError("the model does not know \(label); export it again")
            }
            return score.floatValue
        }
    }

    /// The one .mlpackage in Model.
    static func source() throws -> URL {
        let folder = Bundle.module.bundleURL
        let places = [folder, Bundle.module.resourceURL ?? folder].map { $0.appendingPathComponent("Model") }
        for place in places {
            let files = try? FileManager.default.contentsOfDirectory(
                at: place, includingPropertiesForKeys: nil)
            let found = (files ?? []).filter { $0.pathExtension == "mlpackage" }
            if found.count == 1 { return found[0] }
        }
        throw SoundListenerError("want one .mlpackage in the package's Model folder; `make run` puts it there")
    }

    /// Loads what Core ML made of `source`: kept in Caches, under a name made from its content.
    private static func load(_ source: URL) async throws -> MLModel {
        let folder = try FileManager.default.url(
            for: .cachesDirectory, in: .userDomainMask, appropriateFor: nil, create: true
        ).appendingPathComponent("pocketear")
        let kept = try folder.appendingPathComponent(fingerprint(source) + ".mlmodelc")
        if let model = try? MLModel(contentsOf: kept) { return model }
        let fresh = try await MLModel.compileModel(at: source)
        do {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            try? FileManager.default.removeItem(at: kept)
            try FileManager.default.moveItem(at: fresh, to: kept)
        } catch {  // no room, or another listener keeps it at this moment
            return try MLModel(contentsOf: fresh)
        }
        return try MLModel(contentsOf: kept)
    }

    private static func fingerprint(_ source: URL) throws -> String {
        var hash = SHA256()
        hash.update(data: Data(ProcessInfo.processInfo.operatingSystemVersionString.utf8))
        let paths = try FileManager.default.subpathsOfDirectory(atPath: source.path).sorted()
        for path in paths {
            let file = source.appendingPathComponent(path)
            if let content = try? Data(contentsOf: file, options: .mappedIfSafe) {
                hash.update(data: Data(path.utf8))
                hash.update(data: content)
            }
        }
        return hash.finalize().map { String(format: "%02x", $0) }.joined()
    }
}
#endif
