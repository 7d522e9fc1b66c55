import { randomInt } from 'node:crypto';

/** *MLflow gives a run without a name an invented one, `adjective-animal-number`.* The words are ours. */
const adjectives =
  `able agile airy amber ample azure balmy bold brave brisk calm candid clear clever cosmic crisp curious deft eager
earnest fair fleet fond frank gentle glad golden grand happy hardy honest humble jolly keen kind lively lucid lucky mellow
merry mild modest neat nimble noble patient placid plucky polite proud quick quiet rapid ready robust rosy serene sharp shy
silent silver sleek smart snug solid spry steady stoic sunny swift tidy trusty upbeat vivid warm wise witty zesty`.split(
    /\s+/,
  );

const animals =
  `adder albatross alpaca ant badger bat bear beaver bee bison bobcat carp cat civet cod condor coot coyote crab crane
crow deer dingo dove duck eagle eel egret elk falcon ferret finch fox frog gecko gnu goat goose grouse gull hare hawk heron
hornet horse ibex ibis jackal jay kiwi koala lark lemur lion lizard llama lynx magpie marten mink mole moose moth mouse newt
ocelot orca osprey otter owl panda perch pika pony puffin quail rabbit ram raven robin salmon seal shrew skua sloth snail
stoat stork swan tapir tern tiger toad trout viper vole walrus weasel whale wolf wren yak zebra`.split(/\s+/);

export function inventName(): string {
  return `${pick(adjectives)}-${pick(animals)}-${randomInt(1000)}`;
}

function pick(words: readonly string[]): string {
  return words[randomInt(words.length)] as string;
}
