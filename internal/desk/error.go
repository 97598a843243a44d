package desk

import "reflect"

// failure is an error as package api sends it.
type failure struct {
	Message          string `json:"message"`
	ExceptionMessage string `json:"exceptionMessage,omitempty" doc:"the same once more, for errors of the service model"`
}

var errorType = reflect.TypeFor[failure]()
