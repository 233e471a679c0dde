// JavaRosa's verdict on saved interviews, as ODK Collect has it when one is opened again and finished.

import java.io.*;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import org.javarosa.core.model.*;
import org.javarosa.core.model.instance.*;
import org.javarosa.model.xform.XFormsModule;
import org.javarosa.xform.parse.XFormParser;
import org.javarosa.xform.util.XFormUtils;

class Verdicts {
  /** Arguments: a folder, and a file with the names of a form and an instance in it on each line. */
  public static void main(String[] arguments) throws Exception {
    new XFormsModule().registerModule();
    PrintStream told = new PrintStream(new FileOutputStream(FileDescriptor.out), true, "UTF-8");
    System.setOut(System.err);
    for (String line : Files.readAllLines(Paths.get(arguments[1]))) {
      String[] names = line.split(" ");
      told.println(verdict(Paths.get(arguments[0], names[0]), Paths.get(arguments[0], names[1])).replace("\n", " "));
    }
  }

  static String verdict(Path formFile, Path instanceFile) {
    try {
      String xml = new String(Files.readAllBytes(formFile), StandardCharsets.UTF_8);
      FormDef form = XFormUtils.getFormFromInputStream(new ByteArrayInputStream(xml.getBytes(StandardCharsets.UTF_8)));
      TreeElement saved = XFormParser.restoreDataModel(Files.readAllBytes(instanceFile), null).getRoot();
      TreeElement root = form.getInstance().getRoot().deepCopy(true);
      root.populate(saved, form);
      form.getInstance().setRoot(root);
      form.initialize(false, new InstanceInitializationFactory());
      ValidateOutcome outcome = form.validate();
      if (outcome == null) return "accepted";
      String rule = outcome.outcome == 1 ? "required" : "constraint";
      return "refused " + rule + " " + outcome.failedPrompt.getReference();
    } catch (Throwable error) {
      return "error " + error;
    }
  }
}
