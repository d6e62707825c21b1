// Package ecgtool is the command `statnet ecg`: the detector on files.
package ecgtool

import "github.com/spf13/cobra"

// Command returns the `ecg` command.
func Command() *cobra.Command {
	return &cobra.Command{Use: "ecg", Short: "Find heartbeats in files, score them, make test ECG"}
}
