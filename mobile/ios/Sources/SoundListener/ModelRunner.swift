#if canImport(CoreML)
import CoreML
import CryptoKit
import Foundation

/// The .mlpackage of this package, run by Core ML.
///
/// Unchecked: `values` and `frontEnd`, the only things that change, are touched under `lock` alone.
public final class ModelRunner: SoundModel, @unchecked Sendable {
    public let card: ModelCard
    /// Its input is the waveform, or the features of the package's own front-end.
    public let model: MLModel
    var takesFeatures: Bool { frontEnd != nil }
    private let input: String
    private let probabilities: String
    private let lock = NSLock()
    private let frontEnd: FrontEnd?
    private let values: MLMultiArray  // the waveform, or its features

    /// Compiles the model, unless this device did before, and loads it.
    public convenience init() async throws {
        try await self.init(model: ModelRunner.load(ModelRunner.source()))
    }

    /// Takes a loaded model with a card in its metadata.
    public init(model: MLModel) throws {
        let description = model.modelDescription
        guard let metadata = description.metadata[MLModelMetadataKey.creatorDefinedKey] as? [String: String],
            let text = metadata[ModelCard.key]
        else {
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
        let json = Data(text.utf8)
        card = try ModelCard(json: json)
        frontEnd = input == FrontEnd.input ? try FrontEnd(FrontEndSettings(card: json)) : nil
        let shape = frontEnd.map { [$0.frames, $0.coefficients] } ?? [card.windowLength]
        let wanted = description.inputDescriptionsByName[input]?.multiArrayConstraint?.shape
        if wanted?.map({ $0.intValue }) != shape {
            throw SoundListenerError("the model takes \(wanted ?? []), its card says \(shape); export it again")
        }
        values = try MLMultiArray(shape: shape.map { NSNumber(value: $0) }, dataType: .float32)
    }

    /// Takes a window; where a sample of it is not a number, no score is.
    public func scores(of window: [Float]) throws -> [Float] {
        if window.count != card.windowLength {
            throw SoundListenerError("a window of \(window.count) samples, want \(card.windowLength)")
        }
        lock.lock()
        defer { lock.unlock() }
        let finite = try values.withUnsafeMutableBufferPointer(ofType: Float.self) { pointer, _ in
            if let frontEnd { return try frontEnd.features(of: window, into: pointer) }
            for index in window.indices { pointer[index] = window[index] }
            return window.allSatisfy { $0.isFinite }
        }
        if !finite { return card.labels.map { _ in .nan } }
        let features = try MLDictionaryFeatureProvider(dictionary: [input: values])
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
