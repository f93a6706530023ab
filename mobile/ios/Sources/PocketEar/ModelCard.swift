import Foundation

/// What pocketear.json inside a model says. Lengths in samples, rate in Hz.
public struct ModelCard: Sendable {
    /// The key of the card in the model's user-defined metadata.
    public static let key = "pocketear.json"

    public let name: String
    public let version: String
    public let labels: [String]
    public let sampleRate: Int
    public let windowLength: Int
    public let hopLength: Int
    /// The score from which a label sounds; a label without one is background, and never does.
    public let thresholds: [String: Float]
    /// A window with no sample beyond it is not put to the model; full scale is 1.
    public let quietPeak: Double
    /// In Hz: sound that ends below it is narrower than what the model was trained on; 0 if unknown.
    public let bandwidth: Double
    let smoothing: Int
    let hysteresis: Float
    let minSeconds: Double
    let refractorySeconds: Double

    /// Reads the text of a card.
    public init(json: Data) throws {
        let card: Fields
        do {
            card = try JSONDecoder().decode(Fields.self, from: json)
        } catch {
            throw SoundListenerError("\(ModelCard.key) inside the model cannot be read: \(error)")
        }
        let listener = card.listener
        name = card.name
        version = card.version
        labels = card.labels
        sampleRate = card.sample_rate
        windowLength = card.window_length
        hopLength = listener.hop_length
        thresholds = listener.thresholds.mapValues { Float($0) }
        smoothing = listener.smoothing
        hysteresis = Float(listener.hysteresis)
        minSeconds = listener.min_seconds
        refractorySeconds = listener.refractory_seconds
        quietPeak = listener.quiet_peak ?? 0
        bandwidth = card.bandwidth ?? 0
        try check(background: listener.background)
    }

    private func check(background: [String]) throws {
        let sounding = Set(labels).subtracting(background)
        if labels.isEmpty || Set(labels).count != labels.count {
            throw SoundListenerError("model card: labels must be at least one, each once: \(labels)")
        }
        if sounding != Set(thresholds.keys) {
            throw SoundListenerError("model card: labels and thresholds differ; export it again")
        }
        let pauses = 0...86_400.0  // what is longer would not be a pause, and might not fit an Int
        if !pauses.contains(minSeconds) || !pauses.contains(refractorySeconds) {
            throw SoundListenerError("model card: wrong times; export it again")
        }
        if quietPeak < 0 || quietPeak >= 1 {
            throw SoundListenerError("model card: quiet_peak must be at least 0 and below 1; export it again")
        }
        if hysteresis < 0 || thresholds.values.contains(where: { hysteresis >= $0 }) {
            throw SoundListenerError("model card: hysteresis must be below every threshold; export it again")
        }
        if sampleRate < 1 || smoothing < 1 || hopLength < 1 || hopLength > windowLength {
            throw SoundListenerError("model card: wrong lengths; export it again")
        }
    }

    private struct Fields: Decodable {
        let name: String
        let version: String
        let labels: [String]
        let sample_rate: Int
        let window_length: Int
        let bandwidth: Double?  // a card of an earlier version has none
        let listener: Settings
    }

    private struct Settings: Decodable {
        let hop_length: Int
        let smoothing: Int
        let hysteresis: Double
        let min_seconds: Double
        let refractory_seconds: Double
        let quiet_peak: Double?  // a card of an earlier version has none
        let thresholds: [String: Double]
        let background: [String]
    }
}
