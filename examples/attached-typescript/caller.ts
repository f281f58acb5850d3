// Two calls at once, with their progress as it comes.

import { Realm } from "realm-sdk";

const realm = new Realm();
const think = async (about: string): Promise<number> => {
  for await (const event of realm.events(await realm.start("think", { about }))) {
    if (event.kind === "end") {
      console.log(about, event.data.status, event.data.output);
      return (event.data.output as { by: number }).by;
    }
    if (event.data.type === "log") console.log(about, event.data.payload);
  }
  throw new Error("the stream broke off");
};

const [one, other] = await Promise.all([think("rain"), think("bread")]);
await realm.close();
if (one === other) throw new Error("one instance did all the work");
console.log("two instances shared the work");
