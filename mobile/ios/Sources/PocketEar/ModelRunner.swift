#if canImport(CoreML)
import CoreML
import CryptoKit
import Foundation

/// An .mlpackage of this package, run by Core ML.
///
/// It takes one chunk and a state, or, as of earlier versions and for SoundAnalysis, a whole window. The
/// state is of one stream: two streams at a time need a runner each.
///
/// Unchecked: `values`, `frontEnd` and `chunks`, the only things that change, are touched under `lock`
/// alone.
public final class ModelRunner: SoundModel, @unchecked Sendable {
    private static let state = "state_in"
    private static let nextState = "state_out"

    public let card: ModelCard
    /// Its first input is a waveform, or the features of the package's own front-end.
    public let model: MLModel
    private let input: String
    private let probabilities: String
    private let lock = NSLock()
    private let frontEnd: FrontEnd?
    private let values: MLMultiArray  // the waveform, or its features
    private var chunks: ChunkRunner<MLMultiArray?>  // of no state where the model takes windows

    /// Compiles the model, unless this device did before, and loads it.
    ///
    /// - Parameter computeUnits: what Core ML may use. iOS refuses the GPU to an app in the background.
    public convenience init(computeUnits: MLComputeUnits = .cpuAndNeuralEngine) async throws {
        try await self.init(model: ModelRunner.load(ModelRunner.source(), computeUnits: computeUnits))
    }

    /// Takes a loaded model with a card in its metadata.
    public init(model: MLModel) throws {
        let description = model.modelDescription
        guard let metadata = description.metadata[MLModelMetadataKey.creatorDefinedKey] as? [String: String],
            let text = metadata[ModelCard.key]
        else {
            throw SoundListenerError("the model has no \(ModelCard.key) in its metadata; export it again")
        }
        let inputs = description.inputDescriptionsByName
        let sounds = inputs.keys.filter { $0 != ModelRunner.state }
        let chunked = inputs[ModelRunner.state] != nil
        let hasNext = description.outputDescriptionsByName[ModelRunner.nextState] != nil
        guard sounds.count == 1, chunked == hasNext, let probabilities = description.predictedProbabilitiesName
        else {
            throw SoundListenerError("the model is not a classifier of one sound; export it again")
        }
        self.model = model
        self.probabilities = probabilities
        input = sounds[0]
        let json = Data(text.utf8)
        card = try ModelCard(json: json)
        let length = chunked ? card.hopLength : card.windowLength
        frontEnd = try input == FrontEnd.input ? FrontEnd(FrontEndSettings(card: json).of(length: length)) : nil
        let shape = frontEnd.map { [$0.frames, $0.coefficients] } ?? [length]
        let wanted = ModelRunner.dimensions(inputs[input])
        if wanted != shape {
            throw SoundListenerError("the model takes \(wanted), its card says \(shape); export it again")
        }
        values = try ModelRunner.zeros(shape)
        let state = try chunked ? ModelRunner.freshState(inputs[ModelRunner.state], card: card) : nil
        chunks = ChunkRunner(length: length, fresh: state)
    }

    /// Takes a window; where a sample of it is not a number, no score is.
    public func scores(of window: [Float], carried: Bool) throws -> [Float] {
        if window.count != card.windowLength {
            throw SoundListenerError("a window of \(window.count) samples, want \(card.windowLength)")
        }
        lock.lock()
        defer { lock.unlock() }
        return try chunks.scores(of: window, carried: carried, step: predict) ?? card.labels.map { _ in .nan }
    }

    /// Nil where a sample is not a number.
    private func predict(
        _ sound: [Float], _ state: MLMultiArray?
    ) throws -> (scores: [Float], state: MLMultiArray?)? {
        let finite = try values.withUnsafeMutableBufferPointer(ofType: Float.self) { pointer, _ in
            if let frontEnd { return try frontEnd.features(of: sound, into: pointer) }
            for index in sound.indices { pointer[index] = sound[index] }
            return sound.allSatisfy { $0.isFinite }
        }
        if !finite { return nil }
        var given = [input: values]
        given[ModelRunner.state] = state
        let found = try model.prediction(from: MLDictionaryFeatureProvider(dictionary: given))
        let next = found.featureValue(for: ModelRunner.nextState)?.multiArrayValue
        return (scores: try scores(in: found), state: next)
    }

    private func scores(in found: MLFeatureProvider) throws -> [Float] {
        let all = found.featureValue(for: probabilities)?.dictionaryValue
        return try card.labels.map { label in
            guard let score = all?[label] else {
                throw SoundListenerError("the model does not know \(label); export it again")
            }
            return score.floatValue
        }
    }

    /// The state at the beginning of a stream: zeros.
    private static func freshState(_ description: MLFeatureDescription?, card: ModelCard) throws -> MLMultiArray {
        let shape = dimensions(description)
        let earlier = card.windowLength / card.hopLength - 1  // chunks of a window before the newest
        if shape.count != 2 || shape[0] != earlier || card.windowLength % card.hopLength != 0 {
            throw SoundListenerError(
                "the model has a state of \(shape), its card says \(earlier) chunks; export it again")
        }
        return try zeros(shape)
    }

    private static func dimensions(_ description: MLFeatureDescription?) -> [Int] {
        description?.multiArrayConstraint?.shape.map { $0.intValue } ?? []
    }

    private static func zeros(_ shape: [Int]) throws -> MLMultiArray {
        let array = try MLMultiArray(shape: shape.map { NSNumber(value: $0) }, dataType: .float32)
        for index in 0..<array.count { array[index] = 0 }
        return array
    }

    /// The one .mlpackage in Model that is for this runner, or the one of windows, for SoundAnalysis.
    static func source(ofWindows: Bool = false) throws -> URL {
        let folder = Bundle.module.bundleURL
        let places = [folder, Bundle.module.resourceURL ?? folder].map { $0.appendingPathComponent("Model") }
        for place in places {
            let files = try? FileManager.default.contentsOfDirectory(
                at: place, includingPropertiesForKeys: nil)
            let found = (files ?? []).filter {
                $0.pathExtension == "mlpackage" && $0.lastPathComponent.hasSuffix("_window.mlpackage") == ofWindows
            }
            if found.count == 1 { return found[0] }
        }
        if ofWindows {
            throw SoundListenerError(
                "SoundAnalysis gives waveforms: want one _window.mlpackage in the package's Model folder; "
                    + "use SoundListener, or export with export.ios_front_end: in_model")
        }
        throw SoundListenerError("want one .mlpackage in the package's Model folder; `make run` puts it there")
    }

    /// Loads what Core ML made of `source`: kept in Caches, under a name made from its content.
    static func load(_ source: URL, computeUnits: MLComputeUnits) async throws -> MLModel {
        let configuration = MLModelConfiguration()
        configuration.computeUnits = computeUnits
        let folder = try FileManager.default.url(
            for: .cachesDirectory, in: .userDomainMask, appropriateFor: nil, create: true
        ).appendingPathComponent("pocketear")
        let kept = try folder.appendingPathComponent(fingerprint(source) + ".mlmodelc")
        if let model = try? MLModel(contentsOf: kept, configuration: configuration) { return model }
        let fresh = try await MLModel.compileModel(at: source)
        do {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            try? FileManager.default.removeItem(at: kept)
            try FileManager.default.moveItem(at: fresh, to: kept)
        } catch {  // no room, or another listener keeps it at this moment
            return try MLModel(contentsOf: fresh, configuration: configuration)
        }
        return try MLModel(contentsOf: kept, configuration: configuration)
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
