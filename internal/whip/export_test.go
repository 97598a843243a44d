package whip

// Show is what a GET on the choice of layers answers.
var Show = show
