internal import VoltCore

extension ToolContext {
    /// Does something for each of several names and prints on stdout those it was done for. A failure does not
    /// keep the others from their turn.
    ///
    /// - Parameter body: gives the name to print.
    /// - Throws: the error of a single name; for several `ExitStatus` with the code of the first error when
    ///   all failed, else 2.
    public func each(_ names: [String], _ body: (String) throws -> String) throws {
        var errors: [VoltError] = []
        for name in names {
            do {
                let done = try body(name)
                // What cannot be printed does not keep the others from their turn; the exit code says it.
                try? Output.line(done)
            } catch let error as VoltError {
                if names.count == 1 { throw error }
                errors.append(error)
                Output.note("\(displayName): error: \(error.message)")
            }
        }
        guard errors.isEmpty else {
            throw ExitStatus(errors.count == names.count ? errors[0].code.rawValue : 2)
        }
    }
}
