// What JavaRosa stores for each row: run by make.py with the jar of ODK Validate on the class path.

import java.io.*;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.util.*;
import org.javarosa.core.model.*;
import org.javarosa.core.model.instance.*;
import org.javarosa.model.xform.XFormsModule;
import org.javarosa.xform.util.XFormUtils;
import org.javarosa.core.model.data.IAnswerData;
import org.javarosa.xform.util.XFormAnswerDataSerializer;

class Table {
  /** Arguments: a folder of forms `0.xml` …, and a file with the path of each form's node, one a line. */
  public static void main(String[] arguments) throws Exception {
    new XFormsModule().registerModule();
    PrintStream told = new PrintStream(new FileOutputStream(FileDescriptor.out), true, "UTF-8");
    System.setOut(System.err);
    int row = 0;
    for (String path : Files.readAllLines(Paths.get(arguments[1]))) {
      String answer;
      try {
        String xml = Files.readString(Paths.get(arguments[0], row + ".xml"));
        FormDef form = XFormUtils.getFormFromInputStream(new ByteArrayInputStream(xml.getBytes(StandardCharsets.UTF_8)));
        form.initialize(true, new InstanceInitializationFactory());
        List<String> found = new ArrayList<>();
        collect(form.getMainInstance().getRoot(), path.split("/"), 2, found);
        answer = String.join(" | ", found);
      } catch (Throwable error) {
        answer = "!" + error.getClass().getSimpleName();
      }
      told.println(answer.replace("\n", " "));
      row++;
    }
  }

  static void collect(TreeElement around, String[] steps, int at, List<String> found) {
    if (at == steps.length) {
      IAnswerData value = around.getValue();
      found.add(value == null ? "" : new XFormAnswerDataSerializer().serializeAnswerData(value, around.getDataType()).toString());
      return;
    }
    for (TreeElement child : around.getChildrenWithName(steps[at])) {
      if (child.getMult() != TreeReference.INDEX_TEMPLATE) collect(child, steps, at + 1, found);
    }
  }
}
